from pathlib import Path

import pytest
from mcp.types import CallToolResult, ImageContent, TextContent

from server.front.showing import show_entries, show_file, show_job, show_sessions
from server.sandbox.files import Binary, Text
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


def test_a_whole_file_is_its_text_and_never_structured() -> None:
    result = show_file(Text("a\n", 1, 1, 1, None, cut=False))

    assert text_of(result) == "a\n"
    assert result.structured_content is None


def test_a_part_of_a_file_names_the_next_part() -> None:
    assert "lines 1-2 of 9; offset=3 reads on" in text_of(show_file(Text("a\nb\n", 1, 2, 9, 3, cut=False)))


def test_an_image_is_an_image() -> None:
    (content,) = show_file(Binary(b"\x89PNG", 4, "image/png")).content

    assert isinstance(content, ImageContent)
    assert content.mime_type == "image/png"


def test_names_that_would_forge_lines_are_escaped() -> None:
    entries = [{"name": "a\n[0 more]", "type": "file"}, {"name": "src", "type": "directory"}]

    assert text_of(show_entries(".", 2, entries)) == '"a\\n[0 more]"\nsrc/'


def test_a_longer_directory_says_how_much_more_there_is() -> None:
    assert "[3 more; raise limit, or use glob]" in text_of(show_entries(".", 4, [{"name": "a", "type": "file"}]))


def test_a_running_jobs_unfinished_line_comes_whole_next_time(job: Job) -> None:
    shown = text_of(show_job(job, "stdout", job.streams["stdout"].read(0, 100), "text"))

    assert shown.startswith("one\ntwo\n\n[")
    assert "next: offset=8" in shown


def test_a_finished_job_is_read_to_its_end(job: Job) -> None:
    job.ended(Exit("exited", 0))

    shown = text_of(show_job(job, "stdout", job.streams["stdout"].read(0, 100), "text"))

    assert "thr\n[job j1 exited with 0; stdout bytes 0-11 of 11]" in shown


def test_no_sessions_is_an_answer_too() -> None:
    assert "no sessions" in text_of(show_sessions([], [], "both"))
