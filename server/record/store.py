"""Sessions and their jobs as rows of the installation's database: what a restarted server finds again."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from server.record.database import Database, insert

TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS sessions (
        id TEXT PRIMARY KEY,
        scope TEXT NOT NULL,
        owner TEXT NOT NULL,
        name TEXT NOT NULL,
        server TEXT NOT NULL,
        state TEXT NOT NULL,
        sandbox TEXT NOT NULL,
        key TEXT NOT NULL,
        environment TEXT NOT NULL,
        image TEXT NOT NULL,
        user TEXT NOT NULL,
        folders TEXT NOT NULL,
        hosts TEXT NOT NULL,
        opened REAL NOT NULL,
        used REAL NOT NULL,
        ends REAL,
        lent_as TEXT NOT NULL DEFAULT '',
        roles TEXT NOT NULL DEFAULT '[]'
    ) STRICT""",
    """CREATE TABLE IF NOT EXISTS jobs (
        session TEXT NOT NULL,
        name TEXT NOT NULL,
        shown TEXT NOT NULL,
        decision_id TEXT NOT NULL,
        outcome TEXT,
        PRIMARY KEY (session, name)
    ) STRICT""",
)
# Of tables that an earlier version made.
ADDED: Final = (
    ("sessions", "lent_as", "TEXT NOT NULL DEFAULT ''"),
    ("sessions", "roles", "TEXT NOT NULL DEFAULT '[]'"),
)


class Store:
    """Each method raises OSError where the database cannot be used."""

    def __init__(self, database: Path) -> None:
        self._database = Database(database, TABLES, ADDED)

    # --- sessions ----------------------------------------------------------------------------------------------------

    def put_session(self, row: Mapping[str, Any]) -> None:
        with self._database.changing() as rows:
            insert(rows, "sessions", row)

    def sessions(self, **equal: str) -> list[Mapping[str, Any]]:
        """Those whose fields have these values, the one used last first."""
        return self._database.select("sessions", equal, "used DESC, id")

    def change_session(self, session: str, **fields: Any) -> None:
        with self._database.changing() as rows:
            given = ", ".join(f"{field} = :{field}" for field in fields)
            rows.execute(f"UPDATE sessions SET {given} WHERE id = :id", {**fields, "id": session})  # noqa: S608 - our own field names

    def take_session(self, session: str, held_by: str, used: float, by: str) -> bool:
        """Into another server's hands, if it is still in those of `held_by`, and last used then: of several that try, one is
        told True."""
        with self._database.changing() as rows:
            order = "UPDATE sessions SET server = ? WHERE id = ? AND server = ? AND used = ?"
            return rows.execute(order, (by, session, held_by, used)).rowcount == 1

    def remove_session(self, session: str) -> None:
        with self._database.changing() as rows:
            rows.execute("DELETE FROM sessions WHERE id = ?", (session,))
            rows.execute("DELETE FROM jobs WHERE session = ?", (session,))

    # --- jobs --------------------------------------------------------------------------------------------------------

    def put_job(self, row: Mapping[str, Any], instead_of: Sequence[str] = ()) -> None:
        with self._database.changing() as rows:
            insert(rows, "jobs", row)
            for name in instead_of:
                rows.execute("DELETE FROM jobs WHERE session = ? AND name = ?", (row["session"], name))

    def jobs(self, session: str) -> list[Mapping[str, Any]]:
        """In the order in which they were started."""
        return self._database.select("jobs", {"session": session}, "rowid")

    def end_job(self, session: str, name: str, outcome: str) -> None:
        with self._database.changing() as rows:
            rows.execute("UPDATE jobs SET outcome = ? WHERE session = ? AND name = ?", (outcome, session, name))

    def remove_job(self, session: str, name: str) -> None:
        with self._database.changing() as rows:
            rows.execute("DELETE FROM jobs WHERE session = ? AND name = ?", (session, name))

    def close(self) -> None:
        self._database.close()
