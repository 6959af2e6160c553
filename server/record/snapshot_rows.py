"""The snapshots of one installation as rows of its database, shared by its servers and the command line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from server.record.database import Database, insert

_TABLE: Final = """
    CREATE TABLE IF NOT EXISTS snapshots (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        owner TEXT NOT NULL,
        kind TEXT NOT NULL,
        image TEXT NOT NULL,
        environment TEXT NOT NULL,
        size_bytes INTEGER NOT NULL,
        created REAL NOT NULL,
        used REAL NOT NULL,
        user TEXT NOT NULL,
        left_out TEXT NOT NULL,
        UNIQUE (owner, name, kind)
    ) STRICT
"""
_WHICH: Final = "owner = :owner AND name = :name AND kind = :kind"


class SnapshotRows:
    """Each method raises OSError where the database cannot be used."""

    def __init__(self, database: Path) -> None:
        self._database = Database(database, (_TABLE,))

    def put(self, row: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Insert; answers with the row of the same owner, name and kind that it replaced."""
        with self._database.changing() as rows:
            replaced = rows.execute(f"SELECT * FROM snapshots WHERE {_WHICH}", row).fetchone()  # noqa: S608 - a constant
            rows.execute(f"DELETE FROM snapshots WHERE {_WHICH}", row)  # noqa: S608 - a constant
            insert(rows, "snapshots", row)
        return dict(replaced) if replaced else None

    def all(self, **equal: str) -> list[Mapping[str, Any]]:
        """Those whose fields have these values, oldest first."""
        return self._database.select("snapshots", equal, "created, id")

    def used(self, snapshot_id: str, when: float) -> None:
        with self._database.changing() as rows:
            rows.execute("UPDATE snapshots SET used = ? WHERE id = ?", (when, snapshot_id))

    def remove(self, snapshot_id: str) -> None:
        with self._database.changing() as rows:
            rows.execute("DELETE FROM snapshots WHERE id = ?", (snapshot_id,))
