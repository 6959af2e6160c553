"""The snapshots of one installation as rows of its database, shared by its servers and the command line."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

BUSY_S: Final = 10.0  # a writer holds the database for milliseconds
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
    """A connection for each call, so that any thread may make one; nothing is created before something is kept."""

    def __init__(self, database: Path) -> None:
        self._database = database

    def put(self, row: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Insert; answers with the row of the same owner, name and kind that it replaced."""
        fields = list(row)
        with self._changing() as rows:
            replaced = rows.execute(f"SELECT * FROM snapshots WHERE {_WHICH}", row).fetchone()  # noqa: S608 - a constant
            rows.execute(f"DELETE FROM snapshots WHERE {_WHICH}", row)  # noqa: S608 - a constant
            marks = ", ".join(f":{field}" for field in fields)
            rows.execute(f"INSERT INTO snapshots ({', '.join(fields)}) VALUES ({marks})", row)  # noqa: S608 - our own field names
        return dict(replaced) if replaced else None

    def all(self, **equal: str) -> list[Mapping[str, Any]]:
        """Those whose fields have these values, oldest first."""
        if not self._database.exists():
            return []
        wanted = " AND ".join([f"{field} = :{field}" for field in equal] or ["TRUE"])
        with self._changing() as rows:
            found = rows.execute(f"SELECT * FROM snapshots WHERE {wanted} ORDER BY created, id", equal)  # noqa: S608 - our own field names
            return [dict(row) for row in found]

    def used(self, snapshot_id: str, when: float) -> None:
        with self._changing() as rows:
            rows.execute("UPDATE snapshots SET used = ? WHERE id = ?", (when, snapshot_id))

    def remove(self, snapshot_id: str) -> None:
        with self._changing() as rows:
            rows.execute("DELETE FROM snapshots WHERE id = ?", (snapshot_id,))

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing, and no other writer between."""
        self._database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection = sqlite3.connect(self._database, timeout=BUSY_S, isolation_level=None)
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_TABLE)
            yield connection
            connection.execute("COMMIT")
        finally:
            connection.close()
