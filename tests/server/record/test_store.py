import threading
from pathlib import Path
from typing import Any

import pytest

from server.record.database import Database, insert
from server.record.store import TABLES, Store

ROW: dict[str, Any] = {
    "id": "s1",
    "scope": "here",
    "owner": "ann",
    "name": "default",
    "server": "one",
    "state": "live",
    "sandbox": "box",
    "key": "k",
    "environment": "base",
    "image": "sandgate/base",
    "user": "1000:1000",
    "folders": "[]",
    "hosts": "[]",
    "opened": 1.0,
    "used": 1.0,
    "ends": None,
    "lent_as": "box",
    "roles": "[]",
}
LATER = {"lent_as": "''", "roles": "'[]'"}  # columns, and what an earlier version's rows have in them


def names(store: Store, **equal: str) -> list[str]:
    return [str(row["id"]) for row in store.sessions(**equal)]


def test_looking_creates_nothing(tmp_path: Path) -> None:
    assert Store(tmp_path / "state/x.db").sessions() == []
    assert list(tmp_path.iterdir()) == []


def test_what_is_put_is_found_by_another_connection_the_last_used_first(tmp_path: Path) -> None:
    Store(tmp_path / "x.db").put_session(ROW)
    other = Store(tmp_path / "x.db")
    other.put_session(ROW | {"id": "s2", "used": 2.0})
    other.put_session(ROW | {"id": "s3", "owner": "bob"})

    assert names(Store(tmp_path / "x.db"), owner="ann") == ["s2", "s1"]
    assert other.sessions(id="s1") == [ROW]


def test_a_database_of_an_earlier_version_gets_what_its_tables_lack(tmp_path: Path) -> None:
    before: tuple[str, ...] = TABLES
    for column, value in LATER.items():
        before = tuple(table.replace(f",\n        {column} TEXT NOT NULL DEFAULT {value}", "") for table in before)
    with Database(tmp_path / "x.db", before).changing() as rows:
        insert(rows, "sessions", {name: value for name, value in ROW.items() if name not in LATER})
    assert before != TABLES
    assert not LATER.keys() & Store(tmp_path / "x.db").sessions()[0].keys()
    Store(tmp_path / "x.db").put_session(ROW | {"id": "s2"})

    found = Store(tmp_path / "x.db").sessions()
    assert [[row[column] for column in LATER] for row in found] == [["", "[]"], ["box", "[]"]]


def test_of_all_that_try_to_take_a_session_one_has_it(tmp_path: Path) -> None:
    Store(tmp_path / "x.db").put_session(ROW)
    taken: list[str] = []

    def take(server: str) -> None:
        if Store(tmp_path / "x.db").take_session("s1", "one", 1.0, server):
            taken.append(server)

    threads = [threading.Thread(target=take, args=(f"server{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [row["server"] for row in Store(tmp_path / "x.db").sessions()] == taken
    assert len(taken) == 1


def test_a_changed_field_leaves_the_others(tmp_path: Path) -> None:
    store = Store(tmp_path / "x.db")
    store.put_session(ROW)
    store.change_session("s1", state="parked", sandbox="")

    assert store.sessions() == [ROW | {"state": "parked", "sandbox": ""}]


def test_jobs_come_in_order_and_go_with_their_session(tmp_path: Path) -> None:
    store = Store(tmp_path / "x.db")
    store.put_session(ROW)
    for name in ("j9", "j10"):
        store.put_job({"session": "s1", "name": name, "shown": "shell", "decision_id": "d", "outcome": None})
    store.end_job("s1", "j9", "{}")
    kept = [(job["name"], job["outcome"]) for job in store.jobs("s1")]
    store.remove_session("s1")

    assert kept == [("j9", "{}"), ("j10", None)]
    assert store.jobs("s1") == []


def test_what_fails_half_way_changes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "x.db")
    store.put_session(ROW)
    with pytest.raises(OSError, match="UNIQUE"):
        store.put_session(ROW)
    store.put_session(ROW | {"id": "s2"})

    assert sorted(names(store)) == ["s1", "s2"]
