"""The one way into the installation's SQLite file."""

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from server.record.database import Database, insert

THINGS = "CREATE TABLE IF NOT EXISTS things (name TEXT PRIMARY KEY) STRICT"
OTHERS = "CREATE TABLE IF NOT EXISTS others (name TEXT PRIMARY KEY) STRICT"


def put(database: Database, name: str, table: str = "things") -> None:
    with database.changing() as rows:
        insert(rows, table, {"name": name})


def names(database: Database, table: str = "things") -> list[str]:
    return [row["name"] for row in database.select(table, {}, "name")]


def test_each_that_keeps_rows_there_finds_its_own_table(tmp_path: Path) -> None:
    things, others = Database(tmp_path / "x.db", [THINGS]), Database(tmp_path / "x.db", [OTHERS])
    put(things, "a")
    put(others, "b", "others")

    assert (names(things), names(others, "others")) == (["a"], ["b"])


def test_only_its_owner_reads_the_file(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.db", [THINGS])
    put(database, "a")

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"x.db": 0o600, "x.db-wal": 0o600, "x.db-shm": 0o600}


def test_a_file_that_cannot_be_used_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("no database, but a text that is long enough to be read as one")

    with pytest.raises(OSError, match="cannot be used"):
        put(Database(tmp_path / "x.db", [THINGS]), "a")


def test_what_is_closed_opens_again_when_it_is_asked(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.db", [THINGS])
    put(database, "a")
    database.close()

    assert names(database) == ["a"]
    plain = sqlite3.connect(tmp_path / "x.db")
    assert plain.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    plain.close()


def test_another_process_that_comes_and_goes_takes_nothing_away(tmp_path: Path) -> None:
    """POSIX locks are a process's, and any close of the file ends them all: then the last to leave would remove the log."""
    first, second = (Database(tmp_path / "x.db", [THINGS]) for _ in range(2))
    put(first, "a")
    put(second, "b")
    visit = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('UPDATE things SET name = name'); c.commit()"
    )
    subprocess.run([sys.executable, "-c", f"{visit}; c.close()", tmp_path / "x.db"], check=True)
    put(first, "c")

    plain = sqlite3.connect(tmp_path / "x.db")
    assert plain.execute("SELECT name FROM things ORDER BY name").fetchall() == [("a",), ("b",), ("c",)]
    plain.close()


def test_many_that_open_it_at_once_all_write(tmp_path: Path) -> None:
    def write(first: int) -> None:
        database = Database(tmp_path / "x.db", [THINGS])
        for number in range(first, first + 10):
            put(database, str(number))

    threads = [threading.Thread(target=write, args=(first,)) for first in (10, 20, 30, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert names(Database(tmp_path / "x.db", [THINGS])) == [str(number) for number in range(10, 50)]


def test_all_that_open_a_new_file_in_the_same_moment_can_keep_something(tmp_path: Path) -> None:
    """Of six, one in fifty was told `database is locked`: hosts start two servers at once, on a first day too."""

    def keep(number: int) -> None:
        database = Database(path, [THINGS])
        ready.wait(30)
        put(database, str(number))
        database.close()

    for time in range(60):
        path, ready = tmp_path / f"{time}.db", threading.Barrier(6)
        with ThreadPoolExecutor(6) as threads:
            list(threads.map(keep, range(6)))
        assert names(Database(path, [THINGS])) == list("012345")


def test_who_makes_the_file_ends_no_lock_that_another_thread_has_on_it_by_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To close any descriptor of a file ends all of a process's locks on it: the next process that went took the log along,
    and what this one kept from then on was kept nowhere."""
    path = tmp_path / "x.db"
    first, second = Database(path, [THINGS]), Database(path, [THINGS])
    makes, calls = {name: getattr(os, name) for name in ("open", "mknod")}, list[str]()

    def made(name: str) -> Callable[..., Any]:
        def make(*how: Any) -> Any:
            got = makes[name](*how)
            if how[0] == path and not calls:
                calls.append(name)
                put(second, "1")
            return got

        return make

    for name in makes:
        monkeypatch.setattr(f"server.record.database.os.{name}", made(name))
    put(first, "2")
    first.close()
    end = (
        f"import sqlite3; other = sqlite3.connect({str(path)!r}); other.execute('SELECT * FROM things'); other.close()"
    )
    subprocess.run([sys.executable, "-c", end], check=True)
    put(second, "3")

    assert calls
    assert names(Database(path, [THINGS])) == ["1", "2", "3"]
