from pathlib import Path

import anyio
import pytest

from server.sandbox.jobs import Job
from server.sandbox.sandbox import Exit
from tests.fakes import FakeCommand

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

    with anyio.fail_after(1):
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
    made.command = command = FakeCommand(made)
    made.ended(Exit("exited", exit_code=0, left_behind=2))

    await made.stop(15, "killed")

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
