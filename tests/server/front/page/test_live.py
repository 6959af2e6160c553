"""A page hears what changed, output comes whole and as text, and both come to an end."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from server.front.page.live import PIECE, SHOWN, Streams, ended, output, parts, start_of
from server.sandbox.jobs import Job
from server.sandbox.sandbox import Exit

pytestmark = pytest.mark.anyio


async def events(stream: AsyncGenerator[bytes]) -> list[tuple[str, dict[str, Any]]]:
    found = []
    async for raw in stream:
        fields = dict(line.split(": ", 1) for line in raw.decode().strip().split("\n") if not line.startswith(":"))
        if "event" in fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


async def yes() -> bool:
    return True


def job(folder: Path) -> Job:
    return Job("j1", "shell", folder, "d-1", lambda _: None)


async def test_a_part_is_sent_when_it_is_another_until_its_viewer_is_gone() -> None:
    made = iter([{"html": "a"}, "same", {"html": "b"}, None])

    async def render() -> Any:
        return next(made)

    assert await events(parts(Streams(), render, 0)) == [("part", {"html": "a"}), ("part", {"html": "b"}), ("gone", {})]


@pytest.mark.promise("page.text")
async def test_output_is_text_whole_characters_and_then_how_it_ended(tmp_path: Path) -> None:
    ours = job(tmp_path)
    ours.write(1, "</pre>é".encode() * (PIECE // 8 + 1))
    ours.write(2, b"\x1b[31m")
    ours.ended(Exit("exited", exit_code=3))

    found = await events(output(Streams(), ours, (0, 0), yes))

    said = {
        name: "".join(data["text"] for kind, data in found if kind == "output" and data["stream"] == name)
        for name in ("stdout", "stderr")
    }
    assert said == {"stdout": "</pre>é" * (PIECE // 8 + 1), "stderr": "\\x1b[31m"}
    assert found[-1] == ("over", {"status": "exited with 3"})


async def test_output_goes_on_where_a_page_began(tmp_path: Path) -> None:
    ours = job(tmp_path)
    ours.write(1, b"old\n" * SHOWN + b"new\n")
    start = start_of(ours, "stdout")
    ours.write(1, b"newest\n")
    ours.ended(Exit("killed"))

    found = await events(output(Streams(), ours, (start.next_offset, 0), yes))

    assert start.text.endswith("old\nnew\n")
    assert start.text.startswith("old\n")
    assert start.left_out + len(start.text) == start.next_offset
    assert found == [("output", {"stream": "stdout", "text": "newest\n"}), ("over", {"status": "killed"})]


async def test_whoever_may_no_longer_see_it_hears_no_more(tmp_path: Path) -> None:
    async def no() -> bool:
        return False

    ours = job(tmp_path)
    ours.write(1, b"secret")
    assert await events(output(Streams(), ours, (0, 0), no)) == []


async def test_places_are_counted_and_given_back() -> None:
    streams = Streams(lambda: True, most=1)

    async def render() -> dict[str, Any] | None:
        return {}

    with streams.place():
        assert streams.full
    assert not streams.full
    assert await events(parts(streams, render, 0)) == []
    assert not streams.full


def test_how_a_job_stands(tmp_path: Path) -> None:
    ours = job(tmp_path)
    assert ended(ours) == "running"
    ours.ended(Exit("out_of_memory", detail="of 512 MB"))
    assert ended(ours) == "out_of_memory: of 512 MB"
