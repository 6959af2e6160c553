"""Rows that two processes share: what one writes the other reads, and a broken file is an OSError."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from server.record.approval_rows import ApprovalRows

ROW: dict[str, Any] = {
    "id": "a-1", "bound": "b", "caller": "ann", "tool": "shell", "session": "s", "shown": "x", "reasons": "[]",
    "asked": 10.0, "ends": 20.0, "state": "pending", "again": 0, "answered_by": "",
}  # fmt: skip


def test_what_one_writes_another_answers(tmp_path: Path) -> None:
    server, person = (ApprovalRows(tmp_path / "state/sandgate.db") for _ in range(2))
    server.put(ROW)
    assert [row["id"] for row in person.live(11)] == ["a-1"]
    assert person.answer("a-1", "allowed", "carl", 11, None)
    taken = server.take("b", 12)
    assert taken is not None
    assert taken["answered_by"] == "carl"
    assert server.take("b", 12) is None


def test_nothing_is_made_by_looking(tmp_path: Path) -> None:
    assert ApprovalRows(tmp_path / "state/sandgate.db").live(1) == []
    assert not (tmp_path / "state").exists()


def test_what_ran_out_is_gone(tmp_path: Path) -> None:
    rows = ApprovalRows(tmp_path / "sandgate.db")
    rows.put(ROW)
    assert not rows.answer("a-1", "allowed", "carl", 20, None)
    assert rows.put({**ROW, "id": "a-2", "asked": 21.0, "ends": 31.0})["id"] == "a-2"


def test_a_yes_is_taken_back_once_and_a_question_is_none(tmp_path: Path) -> None:
    rows = ApprovalRows(tmp_path / "sandgate.db")
    rows.put(ROW)
    assert not rows.revoke("a-1", "carl", 11)
    rows.answer("a-1", "allowed", "carl", 11, 60.0, again=1)
    assert [rows.revoke("a-1", "carl", 12) for _ in range(2)] == [True, False]
    assert rows.take("b", 13) is None


def test_each_answer_is_told_once_whoever_gave_it(tmp_path: Path) -> None:
    one, other = (ApprovalRows(tmp_path / "sandgate.db") for _ in range(2))
    told = list[Mapping[str, Any]]()
    one.tell_answers(told.append)
    one.put(ROW)
    one.answer("a-1", "allowed", "carl", 11, None)
    one.answer("a-1", "denied", "late", 11, None)
    one.revoke("a-1", "dora", 12)

    def fails(_: Mapping[str, Any]) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        other.tell_answers(fails)
    for rows in (other, one):
        rows.tell_answers(told.append)
    assert [(row["approval"], row["state"], row["answered_by"], row["answered"]) for row in told] == [
        ("a-1", "allowed", "carl", 11),
        ("a-1", "revoked", "dora", 12),
    ]


def test_a_broken_file_is_an_oserror(tmp_path: Path) -> None:
    (tmp_path / "sandgate.db").write_bytes(b"no database" * 100)
    with pytest.raises(OSError, match="cannot be used"):
        ApprovalRows(tmp_path / "sandgate.db").put(ROW)
