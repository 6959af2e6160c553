"""Sessions that something unusual happened in, as rows of the installation's database, until a person releases them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from server.record.database import Database

_TABLE: Final = """
    CREATE TABLE IF NOT EXISTS suspicions (
        owner TEXT NOT NULL,
        name TEXT NOT NULL,
        effect TEXT NOT NULL,
        why TEXT NOT NULL,
        since REAL NOT NULL,
        PRIMARY KEY (owner, name)
    ) STRICT
"""


class SuspicionRows:
    """Each method raises OSError where the database cannot be used."""

    def __init__(self, database: Path) -> None:
        self._database = Database(database, (_TABLE,))

    def put(self, owner: str, name: str, effect: str, why: str, since: float) -> None:
        """What is frozen stays frozen, whatever follows."""
        with self._database.changing() as rows:
            rows.execute(
                "INSERT INTO suspicions VALUES (?, ?, ?, ?, ?) ON CONFLICT (owner, name) DO UPDATE"
                " SET effect = excluded.effect, why = excluded.why, since = excluded.since WHERE effect != 'freeze'",
                (owner, name, effect, why, since),
            )

    def all(self, **equal: str) -> list[Mapping[str, Any]]:
        """Those whose fields have these values, oldest first."""
        return self._database.select("suspicions", equal, "since, owner, name")

    def drop(self, owner: str, name: str) -> None:
        with self._database.changing() as rows:
            rows.execute("DELETE FROM suspicions WHERE owner = ? AND name = ?", (owner, name))

    def close(self) -> None:
        self._database.close()
