from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from policy.question import CallerFacts, Question, RunCommand, SessionFacts
from policy.verdict import Allow, permit
from server.sandbox.jobs import MOST_OUTPUT_BYTES, NoSuchJob, TooManyJobs
from server.sandbox.sandbox import Exit, Running, SandboxLost
from server.sandbox.session import MAX_JOBS_KEPT, MOST_JOBS_AT_ONCE, Session
from server.sandbox.spool import FLOOR_SEGMENTS, SEGMENT_BYTES
from tests.fakes import SPEC, FakeSandbox, ledger

pytestmark = pytest.mark.anyio

ACT = RunCommand(("true",), "/workspace", b"", 1, background=False)
PERMIT = permit(Question(CallerFacts("ann"), "exec", SessionFacts("default", "base"), ACT, {}), Allow())


def nothing(end: Exit) -> None: ...


def session(
    folder: Path, box: FakeSandbox | None = None, announce: Callable[[Session], None] = lambda _: None
) -> Session:
    return Session("s1", "work", "ann", box or FakeSandbox(), SPEC, folder, 0, 0, announce, ledger(folder))


async def test_the_gate_knows_whose_flows_come_before_the_command_starts(tmp_path: Path) -> None:
    announced: list[tuple[str, ...]] = []
    ours = session(tmp_path, FakeSandbox(end=None), lambda told: announced.append(told.live_decisions()))

    await ours.start(PERMIT, "exec", "d-1", nothing)
    await ours.start(PERMIT, "exec", "d-2", nothing)

    assert announced == [("d-1",), ("d-1", "d-2")]


async def test_the_newest_job_is_the_default_and_a_wrong_name_lists_the_right_ones(tmp_path: Path) -> None:
    ours = session(tmp_path)
    await ours.start(PERMIT, "exec", "d-1", nothing)
    newest = await ours.start(PERMIT, "exec", "d-2", nothing)

    assert ours.job(None) is newest
    with pytest.raises(NoSuchJob, match="j1, j2"):
        ours.job("j9")


async def test_a_session_is_quiet_when_nothing_runs_in_it_not_even_what_a_command_left_behind(tmp_path: Path) -> None:
    ours = session(tmp_path, FakeSandbox(end=None))
    assert ours.quiet
    job = await ours.start(PERMIT, "exec", "d-1", nothing)
    assert not ours.quiet
    job.ended(Exit("exited", 0, left_behind=1))
    assert not ours.quiet
    job.cleared()
    assert ours.quiet
    ours.holds = 1
    assert not ours.quiet


async def test_jobs_are_written_down_as_they_come_end_and_are_forgotten(tmp_path: Path) -> None:
    ours = session(tmp_path)
    for _ in range(MAX_JOBS_KEPT + 3):
        await ours.start(PERMIT, "exec", "d-1", nothing)
    kept = ledger(tmp_path).jobs("s1")

    assert [job.name for job in kept] == list(ours.jobs)
    assert len(kept) == MAX_JOBS_KEPT
    assert {job.end for job in kept} == {FakeSandbox().end}


async def test_a_job_whose_processes_run_on_is_not_forgotten_for_they_are_stopped_by_its_name(tmp_path: Path) -> None:
    ours = session(tmp_path, FakeSandbox(end=Exit("exited", 0, left_behind=1)))
    server = await ours.start(PERMIT, "exec", "d-1", nothing)
    ours.box = FakeSandbox()
    for _ in range(MAX_JOBS_KEPT + 3):
        await ours.start(PERMIT, "exec", "d-1", nothing)
    before = ours.quiet
    server.cleared()
    await ours.start(PERMIT, "exec", "d-1", nothing)

    assert not before
    assert ours.quiet
    assert server.name not in ours.jobs


async def test_no_more_run_at_once_than_there_is_room_for_the_output_of(tmp_path: Path) -> None:
    ours = session(tmp_path, FakeSandbox(end=None))
    first = await ours.start(PERMIT, "exec", "d-1", nothing)
    for _ in range(MOST_JOBS_AT_ONCE - 1):
        await ours.start(PERMIT, "exec", "d-1", nothing)
    with pytest.raises(TooManyJobs, match=f"{MOST_JOBS_AT_ONCE} commands run in session work; job_stop"):
        await ours.start(PERMIT, "exec", "d-1", nothing)
    first.ended(Exit("exited", 0))
    await ours.start(PERMIT, "exec", "d-1", nothing)

    ends = 2 * FLOOR_SEGMENTS + 1  # of a stream: its beginning, its end, and the segment being written
    assert MOST_JOBS_AT_ONCE * 2 * ends * SEGMENT_BYTES <= MOST_OUTPUT_BYTES


class Broken(FakeSandbox):
    async def run(self, *_: object) -> None:  # type: ignore[override]  # it never gets that far
        raise SandboxLost("gone")


async def test_a_command_that_could_not_be_started_is_no_job(tmp_path: Path) -> None:
    ours = session(tmp_path, Broken())
    with pytest.raises(SandboxLost):
        await ours.start(PERMIT, "exec", "d-1", nothing)

    assert ours.jobs == {}
    assert ours.quiet
    assert ledger(tmp_path).jobs("s1") == []


class Slow(FakeSandbox):
    async def run(self, *given: Any) -> Running:
        await anyio.lowlevel.checkpoint()
        return await super().run(*given)


async def test_what_gives_way_to_several_that_start_at_once_is_not_the_same(tmp_path: Path) -> None:
    ours = session(tmp_path, Slow())
    for _ in range(MAX_JOBS_KEPT):
        await ours.start(PERMIT, "exec", "d-1", nothing)
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(ours.start, PERMIT, "exec", "d-1", nothing)

    assert list(ours.jobs) == [f"j{number}" for number in range(4, MAX_JOBS_KEPT + 4)]
    assert [job.name for job in ledger(tmp_path).jobs("s1")] == list(ours.jobs)


async def test_a_session_without_a_sandbox_says_so(tmp_path: Path) -> None:
    ours = session(tmp_path)
    ours.box = None

    assert not ours.ready
    with pytest.raises(SandboxLost, match="no sandbox now"):
        _ = ours.sandbox


async def test_a_session_is_over_at_its_time(tmp_path: Path) -> None:
    ours = session(tmp_path)
    ours.clock, ours.ends = lambda: 9.0, 10.0
    assert ours.ready
    ours.clock = lambda: 10.0
    assert not ours.ready
