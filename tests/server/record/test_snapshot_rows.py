"""Rows of snapshots as several servers of one installation see them."""

import threading
from pathlib import Path
from typing import Any

import pytest

from server.record.snapshot_rows import SnapshotRows


def row(number: int, **other: Any) -> dict[str, Any]:
    return {
        "id": f"s{number}",
        "name": "before",
        "owner": "local",
        "kind": "named",
        "image": f"image:{number}",
        "environment": "base",
        "size_bytes": 1,
        "created": float(number),
        "used": float(number),
        "user": "1000:1000",
        "left_out": "",
    } | other


def test_one_of_the_same_owner_name_and_kind_is_replaced_and_told(tmp_path: Path) -> None:
    rows = SnapshotRows(tmp_path / "db")

    assert rows.put(row(1)) is None
    assert rows.put(row(2, kind="parked")) is None
    assert rows.put(row(3, owner="another")) is None
    assert rows.put(row(4)) == row(1)
    assert [found["id"] for found in rows.all()] == ["s2", "s3", "s4"]


def test_another_server_of_the_installation_sees_them_at_once(tmp_path: Path) -> None:
    ours, theirs = SnapshotRows(tmp_path / "db"), SnapshotRows(tmp_path / "db")
    ours.put(row(1))
    theirs.used("s1", 99.0)

    assert ours.all(owner="local", name="before") == [row(1, used=99.0)]
    theirs.remove("s1")
    assert ours.all() == []


def test_looking_creates_nothing(tmp_path: Path) -> None:
    assert SnapshotRows(tmp_path / "state" / "db").all() == []
    assert list(tmp_path.iterdir()) == []


def test_a_row_that_cannot_be_kept_replaces_nothing(tmp_path: Path) -> None:
    rows = SnapshotRows(tmp_path / "db")
    rows.put(row(1))

    with pytest.raises(Exception, match="NOT NULL"):
        rows.put(row(2, image=None))
    assert rows.all() == [row(1)]


def test_many_at_once_leave_one_of_each_name(tmp_path: Path) -> None:
    def replace(first: int) -> None:
        rows = SnapshotRows(tmp_path / "db")
        for number in range(first, first + 20):
            rows.put(row(number))

    threads = [threading.Thread(target=replace, args=(first,)) for first in (0, 100, 200, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(SnapshotRows(tmp_path / "db").all()) == 1
