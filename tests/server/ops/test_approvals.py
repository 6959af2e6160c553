"""What a person, or a program of theirs, reads before they answer."""

import json

import pytest

from server import cli
from server.judge.approvals import Approval
from server.ops.approvals import shown
from server.record.approval_rows import ApprovalRows
from server.settings.files import load
from tests.server.ops.commands import Said
from tests.server.record.test_approval_rows import ROW


@pytest.mark.promise("approval.bound")
def test_the_whole_call_is_shown_and_nothing_in_it_is_obeyed() -> None:
    approval = Approval("a-1", "ann\x1b[2K", "shell", "s", "git push\n\x1b[1A\u202e", ("why\r",), 0.0, 600.0, "pending")
    text = shown(approval, 0.0)
    assert text.split("\n") == [
        r"a-1  shell by ann\x1b[2K in session s, 10 min left",
        r"    why: why\r",
        "  | git push",
        r"  | \x1b[1A\u202e",
    ]


@pytest.mark.parametrize(("minutes", "left"), [(15, "15 min"), (180, "3 hours"), (7 * 24 * 60, "7 days")])
def test_what_is_left_is_said_as_a_person_would(minutes: int, left: str) -> None:
    approval = Approval("a-1", "ann", "shell", "s", "git push", (), 0.0, minutes * 60.0, "allowed")
    assert shown(approval, 0.0).split("\n")[0].endswith(f", {left} left")


@pytest.mark.usefixtures("machine")
def test_a_program_reads_the_same(capsys: Said) -> None:
    assert cli.main(["approvals", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    ApprovalRows(load().database).put({**ROW, "ends": 4e9, "shown": "git push\x1b[2K"})

    assert cli.main(["approvals", "list", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["id"], told["state"], told["shown"]) == ("a-1", "pending", "git push\x1b[2K")


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(("answer", "left"), [("deny", []), ("allow", []), ("allow --minutes 5", ["a-1"])])
def test_what_was_answered_waits_no_longer(capsys: Said, answer: str, left: list[str]) -> None:
    ApprovalRows(load().database).put({**ROW, "ends": 4e9})
    verb, *options = answer.split()
    assert cli.main(["approvals", verb, "a-1", *options]) == 0
    capsys.readouterr()
    assert cli.main(["approvals", "list", "--json"]) == 0
    assert [each["id"] for each in json.loads(capsys.readouterr().out)] == left
