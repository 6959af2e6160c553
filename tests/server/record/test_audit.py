import re
from contextlib import suppress
from pathlib import Path

import pytest

from policy.command import Reading, SimpleCommand
from policy.question import CallerFacts, Question, SessionFacts, UseSession
from policy.verdict import Denied, Deny, Rule
from server.record import chain_file
from server.record.audit import Audit, AuditFailed, shorten
from server.record.chain_file import NEVER
from server.record.masking import Masking
from server.record.reading import lines

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


def test_long_arguments_are_kept_by_their_digest() -> None:
    kept = shorten({"content": "x" * 10_000, "path": "a", "left_out": None})

    assert kept["content"]["characters"] == 10_000
    assert len(kept["content"]["sha256"]) == 64
    assert set(kept) == {"content", "path"}


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


@pytest.mark.promise("audit.written_first")
async def test_what_only_reads_the_state_is_answered_all_the_same_and_counted(tmp_path: Path) -> None:
    ours, answered = audit(tmp_path / "audit"), 0
    (tmp_path / "audit").write_text("a file where the folder should be")
    for reads in (True, True, False):
        try:
            async with ours.call("ann", "session_list", "default", {}, reads_state=reads) as record:
                record.decided(Question(CallerFacts("ann"), "x", SessionFacts("s", "base"), UseSession("x"), {}), NO)
                answered += 1
        except AuditFailed:
            answered += 10
    (tmp_path / "audit").unlink()
    ours.write("server.note", {})

    assert answered == 12
    assert [(line["kind"], line.get("reads")) for _, line in lines(tmp_path / "audit/audit.jsonl")] == [
        ("server.unrecorded", 2),
        ("server.note", None),
    ]


@pytest.mark.promise("audit.written_first")
async def test_a_call_that_may_find_no_room_for_its_end_does_not_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = audit(tmp_path)
    ours.write("server.note", {})
    monkeypatch.setattr(chain_file, "RESERVE", 1 << 62)  # more than any disk has left

    with pytest.raises(AuditFailed, match="No space left"):
        async with ours.call("ann", "shell", "default", {}):
            raise AssertionError
    async with ours.call("ann", "session_list", "default", {}, reads_state=True):
        pass

    assert kinds(tmp_path) == ["server.note"]
    ours.write("server.note", {})  # of what has begun, for which the room is kept
    assert kinds(tmp_path) == ["server.note", "server.unrecorded", "server.note"]


@pytest.mark.promise("audit.masked")
async def test_no_line_of_a_call_holds_a_secret_or_half_of_one(tmp_path: Path) -> None:
    masking = Masking((re.compile("tok-[0-9]+"),), lambda: ["correct horse battery"])
    ours = Audit(tmp_path / "audit.jsonl", "interval", NEVER, masking)
    reading = Reading((SimpleCommand((f"{'x' * 505}correct horse battery",), "x", "bare", cwd="/"),))
    question = Question(CallerFacts("ann"), "shell", SessionFacts("s", "base"), UseSession("x"), {}, reading=reading)
    long = f"{'y' * 250}correct horse battery{'z' * 5000}"
    with suppress(ValueError):
        async with ours.call("ann", "shell", "tok-17", {"command": "echo tok-42", "content": long}) as record:
            record.decided(question, NO)
            raise ValueError("correct horse battery")

    text = (tmp_path / "audit.jsonl").read_text()
    assert not re.search("correct|tok-|horse|battery", text)
    assert text.count("***") == 5
