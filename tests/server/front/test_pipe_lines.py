"""Lines over real pipes and sockets: whole, in order, and with nobody's descriptor changed."""

import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from server.front.pipe_lines import PipeReader, PipeWriter

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["pipe", "socket"])
def ends(request: pytest.FixtureRequest) -> Iterator[list[int]]:
    """A descriptor to read from, and one to write to; a test closes one by setting it to -1."""
    made = list(os.pipe()) if request.param == "pipe" else [end.detach() for end in socket.socketpair()]
    yield made
    for end in made:
        if end >= 0:
            os.close(end)


def _close(ends: list[int], which: int) -> None:
    os.close(ends[which])
    ends[which] = -1


async def test_lines_come_whole_however_they_are_cut(ends: list[int]) -> None:
    got: list[str] = []

    async def read() -> None:
        got.extend([line async for line in PipeReader(ends[0])])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        for piece in (b'{"a":', b"1}\n\n", b"\xc3", b"\xa4 \xff\nlast"):
            os.write(ends[1], piece)
            await anyio.wait_all_tasks_blocked()
        _close(ends, 1)

    assert got == ['{"a":1}\n', "\n", "ä �\n", "last"]


async def test_what_is_long_goes_to_a_slow_reader_whole(ends: list[int]) -> None:
    text = "".join(f"{number} é\n" for number in range(100_000))
    got: list[str] = []

    async def read() -> None:
        got.extend([line async for line in PipeReader(ends[0])])

    with closing(PipeWriter(ends[1])) as writer:
        async with anyio.create_task_group() as tasks:
            with anyio.move_on_after(0.05):  # nobody reads: it waits, and the loop goes on
                await writer.write(text)
                pytest.fail("a megabyte fitted into a pipe")
            tasks.start_soon(read)
            await writer.write(text)
            writer.close()
            _close(ends, 1)

    assert "".join(got) == text * 2, "what was given up halfway is finished before the next"


async def test_a_reader_that_has_left_is_told_of(ends: list[int]) -> None:
    _close(ends, 0)

    with closing(PipeWriter(ends[1])) as writer, pytest.raises(BrokenPipeError):
        await writer.write("line\n")


async def test_flags_that_others_share_stay_as_they_are(ends: list[int]) -> None:
    before = [fcntl.fcntl(end, fcntl.F_GETFL) for end in ends]
    with closing(PipeWriter(ends[1])) as writer:
        await writer.write("line\n")
        assert await anext(PipeReader(ends[0])) == "line\n"

    assert [fcntl.fcntl(end, fcntl.F_GETFL) for end in ends] == before


PROGRAM = """
import os, sys
from server.front.pipe_lines import standard_pipes
with standard_pipes() as pipes:
    assert (pipes is None) == (sys.argv[1] == "None"), pipes
    if pipes is not None:
        assert os.read(0, 10) == b""
        print("a stray line", flush=True)
sys.stdout.write(sys.stdin.read() + "after")
"""


def test_meanwhile_nothing_stray_is_on_the_wire_and_afterwards_all_is_as_before() -> None:
    argv = [sys.executable, "-c", PROGRAM, "both"]
    done = subprocess.run(argv, input=b"before ", capture_output=True, check=True)

    assert (done.stdout, done.stderr) == (b"before after", b"a stray line\n")


def test_a_file_is_left_to_whoever_can_read_it(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("before ")
    with (tmp_path / "in").open() as file:
        done = subprocess.run([sys.executable, "-c", PROGRAM, "None"], stdin=file, capture_output=True, check=True)

    assert done.stdout == b"before after"
