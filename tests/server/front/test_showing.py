from pathlib import Path

import pytest
from mcp.types import CallToolResult, TextContent

from server.front.showing import show_job, show_sessions
from server.sandbox.jobs import Job
from server.sandbox.sandbox import Exit


def text_of(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


@pytest.fixture
def job(tmp_path: Path) -> Job:
    made = Job("j1", "shell", tmp_path, "d-1", lambda end: None)
    made.write(1, b"one\ntwo\nthr")
    return made


def test_a_running_jobs_unfinished_line_comes_whole_next_time(job: Job) -> None:
    shown = text_of(show_job(job, "stdout", job.streams["stdout"].read(0, 100), "text"))

    assert shown.startswith("one\ntwo\n\n[")
    assert "next: offset=8" in shown


def test_a_finished_job_is_read_to_its_end(job: Job) -> None:
    job.ended(Exit("exited", 0))

    shown = text_of(show_job(job, "stdout", job.streams["stdout"].read(0, 100), "text"))

    assert "thr\n[job j1 exited with 0; stdout bytes 0-11 of 11]" in shown


@pytest.mark.promise("result.truthful")
@pytest.mark.parametrize("limit", [4, 5, 6, 7])
def test_text_that_is_read_in_parts_loses_no_character(tmp_path: Path, limit: int) -> None:
    said = "aä€𝄞" * 20
    job = Job("j1", "shell", tmp_path, "d-1", lambda end: None)
    job.write(1, said.encode())
    job.ended(Exit("exited", 0))
    read, offset = "", 0
    while offset < len(said.encode()):
        text, _, status = text_of(show_job(job, "stdout", job.streams["stdout"].read(offset, limit), "text")).partition(
            "\n["
        )
        read += text
        offset = int(status.partition("-")[2].partition(" ")[0])

    assert read == said


@pytest.mark.promise("result.truthful")
def test_what_is_lost_and_what_the_gate_refused_is_said_of_a_job_that_ran_on(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(data: bytes) -> None:
        raise OSError(28, "No space left on device")

    job.gate_said.append("refused a.example:443: it is not on the list")
    monkeypatch.setattr(job.streams["stdout"], "write", full)
    job.write(1, b"lost")

    lines = text_of(show_job(job, "stdout", job.streams["stdout"].read(0, 100), "text")).splitlines()

    assert lines[-2:] == [
        "[4 bytes of output could not be kept: the server's disk is full]",
        "[the gate refused a.example:443: it is not on the list]",
    ]


def test_no_sessions_is_an_answer_too() -> None:
    assert "no sessions" in text_of(show_sessions([], [], "both", every_job=False))
