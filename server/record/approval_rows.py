"""Questions for a person and their answers, as rows of the installation's database: one for all its servers and the CLI.

Each answer is a row of its own beside them until a server has written it into the audit, whoever gave it.
"""

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from server.record.database import Database, insert

MOST: Final = 100  # of one caller; the oldest give way, so that an agent cannot bury a person in questions
_TABLE: Final = """
    CREATE TABLE IF NOT EXISTS approvals (
        id TEXT PRIMARY KEY,
        bound TEXT NOT NULL,
        caller TEXT NOT NULL,
        tool TEXT NOT NULL,
        session TEXT NOT NULL,
        shown TEXT NOT NULL,
        reasons TEXT NOT NULL,
        asked REAL NOT NULL,
        ends REAL NOT NULL,
        state TEXT NOT NULL,
        again INTEGER NOT NULL,
        answered_by TEXT NOT NULL
    ) STRICT
"""
_ANSWERS: Final = """
    CREATE TABLE IF NOT EXISTS approval_answers (
        number INTEGER PRIMARY KEY,
        approval TEXT NOT NULL,
        caller TEXT NOT NULL,
        tool TEXT NOT NULL,
        session TEXT NOT NULL,
        state TEXT NOT NULL,
        again INTEGER NOT NULL,
        ends REAL NOT NULL,
        answered REAL NOT NULL,
        answered_by TEXT NOT NULL
    ) STRICT
"""


class ApprovalRows:
    """Each method raises OSError where the database cannot be used."""

    def __init__(self, database: Path) -> None:
        self._database = Database(database, (_TABLE, _ANSWERS))

    @property
    def files(self) -> tuple[Path, ...]:
        """One of them looks different after each change, of this process or another."""
        return self._database.files

    def put(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """The live question bound to the same, or this one as a new row."""
        with self._database.changing() as rows:
            rows.execute("DELETE FROM approvals WHERE ends <= ?", (row["asked"],))
            found = rows.execute(
                "SELECT * FROM approvals WHERE bound = ? AND state != 'used'", (row["bound"],)
            ).fetchone()
            if found:
                return dict(found)
            insert(rows, "approvals", row)
            kept = "SELECT id FROM approvals WHERE caller = :caller ORDER BY asked DESC, id LIMIT :most"
            rows.execute(
                f"DELETE FROM approvals WHERE caller = :caller AND id NOT IN ({kept})",  # noqa: S608 - a constant
                {"caller": row["caller"], "most": MOST},
            )
            return row

    def take(self, bound: str, now: float) -> Mapping[str, Any] | None:
        """A live yes to exactly this. One that is good for once is used up: of several that try, one gets it."""
        with self._database.changing() as rows:
            which = "bound = ? AND state = 'allowed' AND ends > ?"
            found = rows.execute(f"SELECT * FROM approvals WHERE {which}", (bound, now)).fetchone()  # noqa: S608 - a constant
            if found and not found["again"]:
                rows.execute("UPDATE approvals SET state = 'used' WHERE id = ?", (found["id"],))
            return dict(found) if found else None

    def answer(self, approval: str, state: str, by: str, now: float, ends: float | None, again: int = 0) -> bool:
        """Whether there was a live question of that id that nobody had answered. `again`: good again and again until `ends`."""
        with self._database.changing() as rows:
            done = rows.execute(
                "UPDATE approvals SET state = ?, answered_by = ?, again = ?, ends = coalesce(?, ends)"
                " WHERE id = ? AND state = 'pending' AND ends > ?",
                (state, by, again, ends, approval, now),
            )
            return _noted(rows, done, approval, state, now)

    def revoke(self, approval: str, by: str, now: float) -> bool:
        """Whether there was a yes of that id in force. The question stays, answered with no."""
        with self._database.changing() as rows:
            done = rows.execute(
                "UPDATE approvals SET state = 'denied', answered_by = ? WHERE id = ? AND state = 'allowed' AND ends > ?",
                (by, approval, now),
            )
            return _noted(rows, done, approval, "revoked", now)

    def tell_answers(self, tell: Callable[[Mapping[str, Any]], None]) -> None:
        """Each answer that was told to nobody yet, oldest first, to one of all servers.

        Where `tell` raises, that one and what follows it come again later; those before it were told.
        """
        for known in self._database.select("approval_answers", {}, "number"):
            with self._database.changing() as rows:
                number = (known["number"],)
                row = rows.execute("SELECT * FROM approval_answers WHERE number = ?", number).fetchone()
                if row is None:  # another server was quicker
                    continue
                tell(dict(row))
                rows.execute("DELETE FROM approval_answers WHERE number = ?", number)

    def has_answers(self) -> bool:
        """Whether some were told to nobody yet."""
        return bool(self._database.select("approval_answers", {}, "number"))

    def find(self, approval: str, now: float) -> Mapping[str, Any] | None:
        with self._database.changing() as rows:
            found = rows.execute("SELECT * FROM approvals WHERE id = ? AND ends > ?", (approval, now)).fetchone()
            return dict(found) if found else None

    def live(self, now: float) -> list[Mapping[str, Any]]:
        """Oldest first."""
        if not self._database.is_there:
            return []
        with self._database.changing() as rows:
            found = rows.execute("SELECT * FROM approvals WHERE ends > ? ORDER BY asked, id", (now,))
            return [dict(row) for row in found]


def _noted(rows: sqlite3.Connection, done: sqlite3.Cursor, approval: str, state: str, now: float) -> bool:
    """Whether it was an answer to anything; then it is to be told."""
    if done.rowcount == 1:
        told = "approval, caller, tool, session, state, again, ends, answered, answered_by"
        kept = "id, caller, tool, session, ?, again, ends, ?, answered_by"
        rows.execute(
            f"INSERT INTO approval_answers ({told}) SELECT {kept} FROM approvals WHERE id = ?",  # noqa: S608 - constants
            (state, now, approval),
        )
    return done.rowcount == 1
