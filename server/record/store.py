"""Sessions and their jobs as rows of the installation's database: what a restarted server finds again."""

import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

BUSY_S: Final = 5.0  # another server's write takes a millisecond
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
        ends REAL
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


class Store:
    """One connection, for any thread; nothing is created before something is kept. Each method raises OSError where the
    database cannot be used, and then has changed nothing. Field names are our own, never a caller's."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._open: sqlite3.Connection | None = None

    # --- sessions ----------------------------------------------------------------------------------------------------

    def put_session(self, row: Mapping[str, Any]) -> None:
        with self._changing() as rows:
            _insert(rows, "sessions", row)

    def sessions(self, **equal: str) -> list[Mapping[str, Any]]:
        """Those whose fields have these values, the one used last first."""
        return self._select("sessions", equal, "used DESC, id")

    def change_session(self, session: str, **fields: Any) -> None:
        with self._changing() as rows:
            given = ", ".join(f"{field} = :{field}" for field in fields)
            rows.execute(f"UPDATE sessions SET {given} WHERE id = :id", {**fields, "id": session})  # noqa: S608 - our own field names

    def take_session(self, session: str, held_by: str, by: str) -> bool:
        """Into another server's hands, if it is still in those of `held_by`: of several that try, one is told True."""
        with self._changing() as rows:
            order = "UPDATE sessions SET server = ? WHERE id = ? AND server = ?"
            return rows.execute(order, (by, session, held_by)).rowcount == 1

    def remove_session(self, session: str) -> None:
        with self._changing() as rows:
            rows.execute("DELETE FROM sessions WHERE id = ?", (session,))
            rows.execute("DELETE FROM jobs WHERE session = ?", (session,))

    # --- jobs --------------------------------------------------------------------------------------------------------

    def put_job(self, row: Mapping[str, Any]) -> None:
        with self._changing() as rows:
            _insert(rows, "jobs", row)

    def jobs(self, session: str) -> list[Mapping[str, Any]]:
        """In the order in which they were started."""
        return self._select("jobs", {"session": session}, "rowid")

    def end_job(self, session: str, name: str, outcome: str) -> None:
        with self._changing() as rows:
            rows.execute("UPDATE jobs SET outcome = ? WHERE session = ? AND name = ?", (outcome, session, name))

    def remove_job(self, session: str, name: str) -> None:
        with self._changing() as rows:
            rows.execute("DELETE FROM jobs WHERE session = ? AND name = ?", (session, name))

    # --- the file ----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        with self._lock:
            if self._open is not None:
                self._open.close()
                self._open = None

    def _select(self, table: str, equal: Mapping[str, str], order: str) -> list[Mapping[str, Any]]:
        if not self._database.exists():
            return []
        wanted = " AND ".join([f"{field} = :{field}" for field in equal] or ["TRUE"])
        with self._changing() as rows:
            found = rows.execute(f"SELECT * FROM {table} WHERE {wanted} ORDER BY {order}", equal)  # noqa: S608 - our own names
            return [dict(row) for row in found]

    def _connect(self) -> sqlite3.Connection:
        self._open = _connected(self._database)
        weakref.finalize(self, self._open.close)  # whoever drops it has no use for the connection either
        return self._open

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing, and no other writer between."""
        with self._lock:
            try:
                connection = self._open or self._connect()
                with connection:
                    connection.execute("BEGIN IMMEDIATE")
                    yield connection
            except sqlite3.Error as exc:
                raise OSError(f"{self._database} cannot be used: {exc}") from exc


def _connected(database: Path) -> sqlite3.Connection:
    """Ours alone from its first moment: it holds the keys of waiting sandboxes."""
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(database, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    try:
        # A machine that loses its power may lose the last rows, never the file; its sandboxes are gone with it anyway.
        for order in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL", *TABLES):
            connection.execute(order)
    except BaseException:
        connection.close()
        raise
    return connection


def _insert(rows: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> None:
    marks = ", ".join(f":{field}" for field in row)
    rows.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", row)  # noqa: S608 - our own names
