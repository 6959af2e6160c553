"""The installation's SQLite file: one way to open it for all that keeps rows there, by its servers and the command line."""

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

BUSY_S: Final = 5.0  # another server's write takes a millisecond
LOOK_AGAIN_S: Final = 0.01


class DatabaseUnusable(OSError):
    """The database's file cannot be used; the sentence says why, and what to do."""

    def __init__(self, path: Path, why: sqlite3.Error) -> None:
        self.what, self.mend = f"{path} cannot be used ({why})", _mend(why)
        super().__init__(f"{self.what}: {self.mend}")


class Database:
    """One connection, for any thread; `tables` are made where they are not there, and so is what was `added` to them later:
    table, column, how it is declared. Nothing is created before something is kept. Raises OSError where the file cannot be
    used, and then has changed nothing. Field names are ours, never a caller's.
    """

    def __init__(self, path: Path, tables: Sequence[str], added: Sequence[tuple[str, str, str]] = ()) -> None:
        self._path, self._tables, self._added = path, tables, added
        self._lock = threading.Lock()
        self._open: sqlite3.Connection | None = None
        self._has_tables = False

    @property
    def is_there(self) -> bool:
        return self._path.exists()

    @property
    def files(self) -> tuple[Path, ...]:
        """What changes are written to: the log that goes before it, and it."""
        return self._path.with_name(f"{self._path.name}-wal"), self._path

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing, and no other writer between."""
        with self._lock:
            try:
                connection = self._open or self._connect()
                with connection:
                    connection.execute("BEGIN IMMEDIATE")
                    if not self._has_tables:
                        self._make(connection)
                    yield connection
                self._has_tables = True
            except sqlite3.Error as exc:
                raise DatabaseUnusable(self._path, exc) from exc

    def select(self, table: str, equal: Mapping[str, str], order: str) -> list[Mapping[str, Any]]:
        """Rows whose fields have these values; on a disk that is full or takes no writes as well."""
        if not self.is_there:
            return []
        wanted = " AND ".join([f"{field} = :{field}" for field in equal] or ["TRUE"])
        with self._lock:
            try:
                rows = self._open or self._connect()
                if not rows.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone():
                    return []
                found = rows.execute(f"SELECT * FROM {table} WHERE {wanted} ORDER BY {order}", equal)  # noqa: S608 - our own names
                found.row_factory = None  # a dict of a Row looks up each name anew
                names = [column[0] for column in found.description]
                return [dict(zip(names, row, strict=True)) for row in found]
            except sqlite3.Error as exc:
                raise DatabaseUnusable(self._path, exc) from exc

    def close(self) -> None:
        with self._lock:
            if self._open is not None:
                self._open.close()
                self._open = None

    def _make(self, connection: sqlite3.Connection) -> None:
        for table in self._tables:
            connection.execute(table)
        for table, column, how in self._added:
            if column not in {row["name"] for row in connection.execute(f"PRAGMA table_info({table})")}:
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} {how}")

    def _connect(self) -> sqlite3.Connection:
        self._open = _connected(self._path)
        weakref.finalize(self, self._open.close)  # whoever drops it has no use for the connection either
        return self._open


def insert(rows: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> None:
    marks = ", ".join(f":{field}" for field in row)
    rows.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", row)  # noqa: S608 - our own names


def _mend(exc: sqlite3.Error) -> str:
    match getattr(exc, "sqlite_errorcode", 0) & 0xFF:  # the rest says more exactly what SQLite was about
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
            return "move it aside, and a new one is made that knows no kept session, snapshot or question"
        case sqlite3.SQLITE_FULL:
            return "make room on its disk"
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return "another process holds it, try again"
        case _:
            return "see that it is a file, and yours to write"


def _connected(path: Path) -> sqlite3.Connection:
    """Ours alone from its first moment: it holds the keys of waiting sandboxes."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.mknod(path, 0o600)  # not opened: to close it would end the locks that another thread's SQLite may have on it
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    try:
        _log_ahead(connection)
        # A machine that loses its power may lose the last rows, never the file; its sandboxes are gone with it anyway.
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def _log_ahead(connection: sqlite3.Connection) -> None:
    """The file stays so once it is. Of two who change a new one at the same time SQLite refuses one at once, without BUSY_S."""
    give_up = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(LOOK_AGAIN_S)
        else:
            return
