import re
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from mcp.server.mcpserver import Context

from server.front import progress
from server.front.progress import MAX_MESSAGE, streaming, telling, while_copying
from server.sandbox.copies import Copying
from server.sandbox.jobs import Job
from server.sandbox.sandbox import Exit
from server.sandbox.snapshot import SnapshotFailed, Tell
from tests.waiting import PATIENCE_S, eventually

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """No heartbeat: each notification is of news, and on a busy machine nothing else comes between two of them."""
    monkeypatch.setattr(progress, "HEARTBEAT_S", 3600.0)


class FakeContext:
    def __init__(self) -> None:
        self.told: list[tuple[float, str]] = []

    async def report_progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        self.told.append((progress, message or ""))


async def heard(job: Job, *pieces: bytes) -> list[tuple[float, str]]:
    ctx = FakeContext()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(streaming(cast("Context[Any, Any]", ctx)), job)
        for number, piece in enumerate(pieces, 1):
            await anyio.wait_all_tasks_blocked()
            job.write(1, piece)
            with anyio.fail_after(PATIENCE_S):
                while len(ctx.told) < number:
                    await anyio.sleep(0.01)
            await anyio.sleep(0.11)  # the pause between two notifications, so that the next piece is waited for
        tasks.cancel_scope.cancel()
    return ctx.told


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job("j1", "shell", tmp_path, "d-1", lambda end: None)


async def test_output_is_told_as_it_comes_and_each_step_is_further(job: Job) -> None:
    told = await heard(job, b"one\n", b"two\n")

    assert [message for _, message in told] == ["one\n", "two\n"]
    assert [step for step, _ in told] == sorted({step for step, _ in told})


async def test_what_came_before_anybody_listened_is_told_at_once(job: Job) -> None:
    ctx = FakeContext()
    job.write(1, b"one\n")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(streaming(cast("Context[Any, Any]", ctx)), job)
        await eventually(lambda: ctx.told)
        tasks.cancel_scope.cancel()

    assert ctx.told == [(1, "one\n")]


async def test_a_character_cut_in_two_is_told_whole(job: Job) -> None:
    told = await heard(job, "ä".encode()[:1], "ä".encode()[1:])

    assert "".join(message for _, message in told if "running" not in message) == "ä"


async def test_a_flood_is_told_by_its_newest_part(job: Job) -> None:
    ((_, message),) = await heard(job, b"x" * 1_000_000 + b"end")

    assert len(message) == MAX_MESSAGE
    assert message.endswith("end")


async def test_the_end_of_a_job_is_not_progress(job: Job) -> None:
    job.ended(Exit("exited", 0))

    assert await heard(job) == []


async def test_what_is_done_is_told_step_by_step_and_its_failure_comes_as_it_is() -> None:
    ctx = FakeContext()

    async def work(tell: Tell) -> None:
        for step in ("measuring", "keeping 7 MB"):
            tell(step)
            with anyio.fail_after(PATIENCE_S):
                while not any(message.startswith(step) for _, message in ctx.told):
                    await anyio.sleep(0.01)
        raise SnapshotFailed("the engine is away")

    with pytest.raises(SnapshotFailed):
        await telling(cast("Context[Any, Any]", ctx), "looking", work)

    assert re.fullmatch(r"keeping 7 MB \(\d+ s\)", ctx.told[-1][1])


async def test_a_copy_is_told_as_a_growing_fraction_of_the_first_step() -> None:
    ctx, steps = FakeContext(), [Copying("/srv/x"), Copying("/srv/x", 5, 9, 1), Copying("/srv/x", 9, 9, 2)]

    async def work() -> str:
        await eventually(lambda: len(ctx.told) >= 3)
        return "done"

    def copying() -> Copying | None:
        return steps[len(ctx.told)] if len(ctx.told) < 3 else None

    assert await while_copying(cast("Context[Any, Any]", ctx), copying, work) == "done"
    assert ctx.told == [
        (0.0, "looking through /srv/x"),
        (0.5, "copying /srv/x: 5 of 9 files, 1 MB"),
        (0.9, "copying /srv/x: 9 of 9 files, 2 MB"),
    ]
