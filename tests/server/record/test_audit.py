import json
import os
from pathlib import Path

import pytest

from policy.question import CallerFacts, Question, SessionFacts, UseSession
from policy.verdict import Denied, Deny, Rule
from server.record.audit import TAIL, Audit, AuditFailed, BrokenChain, lines, shorten, verify

pytestmark = pytest.mark.anyio

NO = Deny((Rule("privilege.tools", "deny", "no sudo", "without"),), "r1")


def audit(folder: Path) -> Audit:
    return Audit(folder / "audit.jsonl", "always")


def kinds(folder: Path) -> list[str]:
    return [line["kind"] for _, line in lines(folder / "audit.jsonl")]


async def test_a_call_is_a_line_before_and_a_line_after(tmp_path: Path) -> None:
    async with audit(tmp_path).call("ann", "shell", "default", {"command": "ls"}) as record:
        assert kinds(tmp_path) == ["call.started"]
        record.ended(outcome="exited", exit_code=0)

    (_, started), (_, ended) = lines(tmp_path / "audit.jsonl")
    assert started["arguments"] == {"command": "ls"}
    assert (ended["kind"], ended["outcome"], ended["exit_code"]) == ("call.ended", "exited", 0)
    assert started["decision_id"] == ended["decision_id"]


async def denied(ours: Audit) -> None:
    async with ours.call("ann", "shell", "default", {}) as record:
        record.decided(Question(CallerFacts("ann"), "shell", SessionFacts("s", "base"), UseSession("x"), {}), NO)
        raise Denied(NO, record.decision_id)


async def test_a_denial_and_a_failure_are_outcomes(tmp_path: Path) -> None:
    ours = audit(tmp_path)
    with pytest.raises(Denied):
        await denied(ours)
    with pytest.raises(ValueError, match="odd"):
        async with ours.call("ann", "shell", "default", {}):
            raise ValueError("odd")

    ends = [line for _, line in lines(tmp_path / "audit.jsonl") if line["kind"] == "call.ended"]
    assert [end["outcome"] for end in ends] == ["denied", "failed"]


@pytest.mark.promise("audit.written_first")
async def test_where_the_line_cannot_be_written_the_call_does_not_happen(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").mkdir()
    happened = False

    with pytest.raises(AuditFailed, match="nothing runs without it"):
        async with audit(tmp_path).call("ann", "shell", "default", {}):
            happened = True

    assert not happened


@pytest.mark.promise("audit.chain")
@pytest.mark.parametrize("change", ["edit", "cut", "swap"])
async def test_a_changed_line_is_found(tmp_path: Path, change: str) -> None:
    ours = audit(tmp_path)
    for number in range(5):
        ours.write("server.note", {"number": number})
    path = tmp_path / "audit.jsonl"
    kept = path.read_text().splitlines()
    match change:
        case "edit":
            kept[1] = kept[1].replace('"number":1', '"number":7')
        case "cut":
            del kept[2]
        case _:
            kept[2], kept[3] = kept[3], kept[2]
    path.write_text("\n".join(kept) + "\n")

    with pytest.raises(BrokenChain, match="line "):
        verify(path)


async def test_two_servers_on_one_file_keep_one_chain(tmp_path: Path) -> None:
    one, two = audit(tmp_path), audit(tmp_path)
    for number in range(4):
        (one if number % 2 else two).write("server.note", {"number": number})

    assert verify(tmp_path / "audit.jsonl")[0] == 4


async def test_a_line_that_a_crash_cut_short_is_never_joined(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    audit(tmp_path).write("server.note", {"number": 0})
    with path.open("a") as file:
        file.write('{"kind":"half')
    audit(tmp_path).write("server.note", {"number": 1})

    assert json.loads(path.read_text().splitlines()[-1])["number"] == 1
    with pytest.raises(BrokenChain, match="line 2"):
        verify(path)


def test_long_arguments_are_kept_by_their_digest() -> None:
    kept = shorten({"content": "x" * 10_000, "path": "a", "left_out": None})

    assert kept["content"]["characters"] == 10_000
    assert len(kept["content"]["sha256"]) == 64
    assert set(kept) == {"content", "path"}


@pytest.mark.promise("audit.chain")
def test_a_line_that_the_disk_had_no_room_for_leaves_no_half_of_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = audit(tmp_path)
    ours.write("server.note", {"number": 0})
    whole = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda file, data: whole(file, data[:10]))
        with pytest.raises(AuditFailed):
            ours.write("server.note", {"number": 1})
    ours.write("server.note", {"number": 2})

    assert verify(tmp_path / "audit.jsonl")[0] == 2


@pytest.mark.promise("audit.chain")
def test_a_line_longer_than_one_look_back_is_still_continued(tmp_path: Path) -> None:
    one, two = audit(tmp_path), audit(tmp_path)
    one.write("server.note", {"text": "x" * (5 * TAIL)})
    two.write("server.note", {"number": 1})
    one.write("server.note", {"number": 2})

    assert verify(tmp_path / "audit.jsonl")[0] == 3


def test_who_listens_is_told_each_line_that_was_written_and_no_other(tmp_path: Path) -> None:
    ours, heard = audit(tmp_path), list[str]()
    ours.listen(lambda line: heard.append(line["kind"]))
    ours.write("server.started", {})
    (tmp_path / "audit.jsonl").unlink()
    ours.close()
    (tmp_path / "audit.jsonl").mkdir()

    with pytest.raises(AuditFailed):
        ours.write("server.ended", {})

    assert heard == ["server.started"]
