import errno
from pathlib import Path

import anyio
import pytest

from server.sandbox.ends import SERVER_LOST
from server.sandbox.jobs import InputRefused, Job
from server.sandbox.sandbox import Exit
from tests.fakes import FakeCommand
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.anyio


def job(folder: Path, ends: list[Exit] | None = None) -> Job:
    return Job("j1", "shell", folder, "d-1", (ends if ends is not None else []).append)


async def test_a_job_that_runs_on_has_no_end_after_the_wait(tmp_path: Path) -> None:
    assert await job(tmp_path).wait(0.01) is None


async def test_its_end_is_told_once_to_whoever_made_it(tmp_path: Path) -> None:
    ends: list[Exit] = []
    made = job(tmp_path, ends)

    made.ended(Exit("exited", exit_code=3))

    assert await made.wait(0) == Exit("exited", exit_code=3)
    assert ends == [Exit("exited", exit_code=3)]
    assert made.status == "exited"


async def test_output_wakes_whoever_waits_for_news(tmp_path: Path) -> None:
    made = job(tmp_path)

    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(made.news)
            await anyio.wait_all_tasks_blocked()
            made.write(2, b"oops")

    assert made.streams["stderr"].total == 4


async def test_stopping_ends_it_and_waits_for_the_end(tmp_path: Path) -> None:
    made = job(tmp_path)
    made.command = FakeCommand(made)

    assert await made.stop(15, "killed") == Exit("killed", signal=15)


async def test_stopping_a_finished_job_reaches_what_it_left_behind(tmp_path: Path) -> None:
    made = job(tmp_path)
    made.command = command = FakeCommand(made, over=True)
    made.ended(Exit("exited", exit_code=0, left_behind=2))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(made.stop, 15, "killed")
        await anyio.wait_all_tasks_blocked()
        made.cleared()

    assert command.stopped == ["killed"]


async def test_output_that_cannot_be_kept_is_counted_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = job(tmp_path)

    def full(data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(made.streams["stdout"], "write", full)
    made.write(1, b"12345")
    made.ended(Exit("exited", exit_code=0))

    assert made.lost_bytes == 5
    assert made.status == "exited"


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.EAGAIN, "has not read what it was sent"), (errno.EPIPE, "background=true"), (5, "no input")],
)
async def test_input_that_is_not_taken_says_why_and_what_to_do(tmp_path: Path, number: int, words: str) -> None:
    made = job(tmp_path)
    made.command = FakeCommand(made, refuses=number)

    with pytest.raises(InputRefused, match=words):
        await made.send(b"x", close=False)


async def test_a_job_that_is_over_takes_no_input(tmp_path: Path) -> None:
    made = job(tmp_path)
    made.command = FakeCommand(made)
    made.ended(Exit("exited", exit_code=0))

    with pytest.raises(InputRefused, match="j1 is over: exited"):
        await made.send(b"x", close=False)


async def test_stopping_waits_for_what_was_left_behind(tmp_path: Path) -> None:
    made = job(tmp_path)
    made.command = FakeCommand(made, over=True)
    made.ended(Exit("exited", exit_code=0, left_behind=2))
    stopped = anyio.Event()

    async def stop() -> None:
        await made.stop(15, "job_stop")
        stopped.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stop)
        await anyio.wait_all_tasks_blocked()
        assert made.has_processes
        assert not stopped.is_set()
        made.cleared()

    assert not made.has_processes


async def test_another_server_reads_what_was_kept_of_a_job_that_is_over(tmp_path: Path) -> None:
    first = job(tmp_path)
    first.write(1, b"said")
    first.ended(Exit("exited", exit_code=0))

    again = Job.restored("j1", "shell", tmp_path, "d-1", SERVER_LOST)

    assert again.streams["stdout"].read(0, 9).data == b"said"
    assert again.end == SERVER_LOST
