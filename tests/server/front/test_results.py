from dataclasses import replace
from pathlib import Path

import pytest
from mcp.types import CallToolResult, TextContent

from policy.question import RunCommand
from policy.verdict import Allow, Ask, Denied, Deny, Rule
from server.asks import Ran
from server.front.results import REFUSAL_TEXT, clip, refusal, run_result
from server.sandbox.jobs import Job
from server.sandbox.sandbox import Exit
from server.sandbox.session import Session
from server.sandbox.spool import SEGMENT_BYTES
from tests.fakes import SPEC, FakeSandbox, ledger


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job("j1", "shell", tmp_path, "d-1", lambda end: None)


def ran(job: Job, end: Exit | None, *, is_new: bool = False) -> Ran:
    session = Session(
        "s1",
        "default",
        "ann",
        FakeSandbox(),
        SPEC,
        Path("/nowhere"),
        0,
        0,
        lambda session: None,
        ledger(Path("/nowhere")),
    )
    act = RunCommand(("true",), "/workspace", b"", 10, background=False)
    return Ran(job, end, session, is_new, "d-1", act)


def text_of(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


def test_a_clean_exit_is_its_output_and_nothing_else(job: Job) -> None:
    job.write(1, b"hello\n")

    assert text_of(run_result(ran(job, Exit("exited", 0)), 1000, "both")) == "hello"


def test_a_failure_is_no_error_but_one_more_line(job: Job) -> None:
    job.write(1, b"out\n")
    job.write(2, b"err\n")
    result = run_result(ran(job, Exit("exited", 3)), 1000, "both")

    assert text_of(result) == "out\nstderr:\nerr\n[exit code 3]"
    assert not result.is_error
    assert result.structured_content is not None
    assert result.structured_content["exit_code"] == 3


@pytest.mark.promise("result.truthful")
@pytest.mark.parametrize(
    ("end", "words"),
    [
        (Exit("timed_out", None, 15), "timed out"),
        (Exit("out_of_memory", None, 9), "out of memory"),
        (Exit("killed", None, 11), "killed by signal 11"),
        (Exit("killed", None, 15, detail="job_stop"), "[killed by signal 15: job_stop]"),
        (Exit("killed", None, detail="the sandbox was lost"), "[killed: the sandbox was lost]"),
        (Exit("disk_full", 1, detail="the command filled the sandbox's disk"), "[disk full, exit code 1: the command"),
        (Exit("exited", 2, detail="a limit was met"), "[exit code 2: a limit was met]"),
        (None, 'running as job j1; job_output(job="j1"'),
    ],
)
def test_every_other_end_says_what_happened(job: Job, end: Exit | None, words: str) -> None:
    result = run_result(ran(job, end), 1000, "both")

    assert words in text_of(result)
    assert result.structured_content is not None
    assert result.structured_content["exit_code"] == (end.exit_code if end else None)


def test_what_runs_on_after_the_end_is_counted_as_it_is_now_and_for_how_long_is_said(job: Job) -> None:
    end = Exit("exited", 0, left_behind=2)
    job.ended(end)
    assert text_of(run_result(ran(job, end), 1000, "both")) == (
        "[2 of its processes still run, for at most 10 s from its start; job_stop ends them]"
    )
    lasting = replace(ran(job, end), act=replace(ran(job, end).act, background=True))
    assert text_of(run_result(lasting, 1000, "both")) == "[2 of its processes still run; job_stop ends them]"

    job.cleared()
    assert text_of(run_result(ran(job, end), 1000, "both")) == "(no output)"


@pytest.mark.promise("result.truthful")
def test_a_line_without_an_end_is_cut_between_characters_and_read_on_there(job: Job) -> None:
    said = "€" * 5_000
    job.write(1, said.encode())
    cut = clip(job, "stdout", 1000)
    offset = int(cut.text.partition("offset=")[2].partition(")")[0])

    assert "\ufffd" not in cut.text
    assert (cut.text.count("€") * 3 + cut.left_out, offset % 3) == (len(said.encode()), 0)


@pytest.mark.promise("result.truthful")
def test_what_is_cut_is_counted_and_the_next_call_is_named(job: Job) -> None:
    lines = b"".join(b"line %05d\n" % number for number in range(10_000))
    job.write(1, lines)

    cut = clip(job, "stdout", 1000)

    assert cut.text.startswith("line 00000\n")
    assert cut.text.endswith("line 09999\n")
    assert len(cut.text) < 1200
    assert all(len(line) in (0, 10) or "left out" in line for line in cut.text.splitlines())
    kept = len(cut.text.encode()) - len(cut.text[cut.text.index("\n[") : cut.text.index("]\n") + 2])
    assert cut.left_out == len(lines) - kept
    assert f"offset={cut.text.index('\n[')}) reads on]" in cut.text  # from where what is shown breaks off


@pytest.mark.promise("result.truthful")
def test_what_is_no_longer_kept_is_counted_also_where_the_rest_would_fit(job: Job) -> None:
    said = "é" * (3 * SEGMENT_BYTES // 2)
    job.write(1, said.encode())
    while job.streams["stdout"].give_way():
        """All but its beginning and its end."""

    cut = clip(job, "stdout", 200_000)

    assert cut.left_out >= job.streams["stdout"].dropped > 0
    assert cut.text.count("é") * 2 + cut.left_out == len(said.encode())


def test_bytes_that_are_no_utf8_become_valid_text(job: Job) -> None:
    job.write(1, b"\xff\xfe ok")

    assert clip(job, "stdout", 1000).text == "\ufffd\ufffd ok"


def test_a_new_session_is_announced_once(job: Job) -> None:
    assert "new session default" in text_of(run_result(ran(job, Exit("exited", 0), is_new=True), 1000, "both"))


def test_the_gates_refusals_are_told_with_the_result(job: Job) -> None:
    job.gate_said.append("refused api.example:443: not on the list")

    assert "[the gate refused api.example:443" in text_of(run_result(ran(job, Exit("exited", 0)), 1000, "both"))


def test_each_shape_sends_what_it_says(job: Job) -> None:
    both = run_result(ran(job, Exit("exited", 0)), 1000, "both")
    text = run_result(ran(job, Exit("exited", 0)), 1000, "text")
    structured = run_result(ran(job, Exit("exited", 0)), 1000, "structured")

    assert (bool(both.content), both.structured_content is not None) == (True, True)
    assert text.structured_content is None
    assert structured.content == []


@pytest.mark.promise("refusal.teaches")
def test_a_refusal_names_rule_reason_and_what_would_be_allowed() -> None:
    rule = Rule("privilege.tools", "deny", "sudo is not available", "Run it without sudo.")
    result = refusal(Denied(Deny((rule,)), "d-1"))

    assert result.is_error
    for words in ("privilege.tools", "sudo is not available", "Run it without sudo.", "d-1", "Nothing ran"):
        assert words in text_of(result)
    assert result.structured_content is not None
    assert result.structured_content["status"] == "denied"


@pytest.mark.promise("refusal.teaches")
def test_an_ask_says_how_a_person_allows_it() -> None:
    rule = Rule("outward.publish", "ask", "git push leaves", "Commit.", grant="git push")
    result = refusal(Denied(Ask((rule,), Allow()), "d-1"))
    asked = refusal(Denied(Ask((rule,), Allow()), "d-1", approval="a-1f2e"))

    assert "A person can allow it, from now on: `sandgate allow 'git push'`. Then" in text_of(result)
    assert (
        "A person can allow it, once: `sandgate approvals allow a-1f2e`, or from now on: `sandgate allow 'git push'`,"
        " or in a browser: `sandgate page`. Then"
    ) in text_of(asked)
    assert result.structured_content is not None
    assert result.structured_content["status"] == "approval_required"


def test_a_refusal_stays_short_however_many_rules_spoke() -> None:
    rules = tuple(Rule(f"a.r{number}", "deny", "x" * 300, "y" * 300) for number in range(20))

    assert len(text_of(refusal(Denied(Deny(rules), "d-1")))) < REFUSAL_TEXT + 1
