from collections.abc import Mapping

import anyio
import pytest

from server.judge.limits import FREES, Limits, Line, Pace, TooMany
from tests.clock import Clock

pytestmark = pytest.mark.anyio

FAST = Pace(1e6, 1_000_000, 1000)
AT_ONCE = Line(queued=0, patience_s=0)  # nobody waits


def limits(pace: Pace = FAST, line: Line = AT_ONCE, clock: Clock | None = None, **tools: Pace) -> Limits:
    named: Mapping[str, Pace] = tools
    return Limits(pace, line, named, clock=clock or Clock())


async def call(of: Limits, caller: str = "ann", tool: str = "shell") -> None:
    async with of.admit(caller, tool):
        """Over at once."""


async def refusal(of: Limits, caller: str = "ann", tool: str = "shell") -> TooMany:
    with pytest.raises(TooMany) as refused:
        await call(of, caller, tool)
    return refused.value


async def test_a_burst_is_admitted_and_the_next_call_is_told_when() -> None:
    ours = limits(Pace(2, 3, 10))
    for _ in range(3):
        await call(ours)

    refused = await refusal(ours)
    assert refused.retry_after_s == pytest.approx(0.5)
    assert "faster than allowed" in str(refused)


async def test_time_fills_the_bucket() -> None:
    clock = Clock()
    ours = limits(Pace(2, 1, 10), clock=clock)
    await call(ours)
    clock.now = 0.5

    await call(ours)


async def test_calls_that_run_take_places() -> None:
    ours = limits(Pace(100, 100, 1))
    async with ours.admit("ann", "shell"):
        assert "1 of your calls are running" in str(await refusal(ours))
        await call(ours, "bob")

    await call(ours)


async def test_a_tool_has_limits_of_its_own_beside_the_callers() -> None:
    ours = limits(shell=Pace(1, 2, 1))
    async with ours.admit("ann", "shell"):
        assert (await refusal(ours)).retry_after_s == 1.0
        await call(ours, tool="file_read")
    await call(ours)

    assert "faster" in str(await refusal(ours))
    await call(ours, "bob")
    await call(ours, tool="file_read")


async def test_all_together_run_no_more_than_the_server_allows() -> None:
    ours = limits(line=Line(everyone=2, queued=0, patience_s=0))
    async with ours.admit("ann", "shell"), ours.admit("bob", "shell"):
        assert "as many as this server allows" in str(await refusal(ours, "eve"))

    await call(ours, "eve")


@pytest.mark.parametrize("tool", sorted(FREES))
async def test_what_ends_things_never_waits_behind_what_runs(tool: str) -> None:
    ours = limits(Pace(1, 1, 1), Line(everyone=1, queued=0, patience_s=0))
    async with ours.admit("ann", "shell"):
        await call(ours, tool=tool)
        assert "faster" in str(await refusal(ours, tool=tool))


class Hall:
    """Calls that are admitted one after the other, each held until it is let go."""

    def __init__(self, ours: Limits) -> None:
        self.ours, self.served = ours, list[str]()
        self._held: dict[str, anyio.Event] = {}

    async def want(self, name: str, tool: str = "shell") -> None:
        async with self.ours.admit(name.partition("-")[0], tool):
            self.served.append(name)
            self._held[name] = anyio.Event()
            await self._held[name].wait()

    async def let_go(self, name: str) -> None:
        self._held.pop(name).set()
        await anyio.wait_all_tasks_blocked()

    def end(self) -> None:
        for event in self._held.values():
            event.set()


async def test_a_flood_waits_behind_itself_and_another_callers_one_call_goes_next() -> None:
    hall = Hall(limits(line=Line(everyone=1, queued=50, patience_s=30)))
    async with anyio.create_task_group() as tasks:
        for name in (*(f"ann-{number}" for number in range(6)), "bob-0"):
            tasks.start_soon(hall.want, name)
            await anyio.wait_all_tasks_blocked()
        for name in ("ann-0", "ann-1", "bob-0", "ann-2"):
            await hall.let_go(name)
        tasks.cancel_scope.cancel()

    assert hall.served == ["ann-0", "ann-1", "bob-0", "ann-2", "ann-3"]


async def test_a_tool_at_its_limit_does_not_keep_the_callers_others_from_going() -> None:
    hall = Hall(limits(line=Line(queued=50, patience_s=30), shell=Pace(1e6, 1000, 1)))
    async with anyio.create_task_group() as tasks:
        for name, tool in (("ann-0", "shell"), ("ann-1", "shell"), ("ann-2", "file_read")):
            tasks.start_soon(hall.want, name, tool)
            await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()

    assert hall.served == ["ann-0", "ann-2"]


async def test_who_calls_faster_than_allowed_is_served_at_the_pace_that_is() -> None:
    ours, served = Limits(Pace(50, 1, 10), Line(queued=50, patience_s=30)), list[int]()

    async def want(number: int) -> None:
        await call(ours)
        served.append(number)

    async with anyio.create_task_group() as tasks:
        for number in range(8):
            tasks.start_soon(want, number)

    assert sorted(served) == list(range(8))


async def test_who_would_wait_too_long_or_behind_too_many_is_told_at_once() -> None:
    slow = limits(Pace(0.1, 1, 10), Line(queued=50, patience_s=5))
    await call(slow)
    assert (await refusal(slow)).retry_after_s == pytest.approx(10)

    hall = Hall(limits(Pace(1e6, 1000, 1), Line(queued=2, patience_s=30)))
    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(hall.want, f"ann-{number}")
            await anyio.wait_all_tasks_blocked()
        assert "1 of your calls are running" in str(await refusal(hall.ours))
        tasks.cancel_scope.cancel()


async def test_patience_ends_and_whoever_goes_away_leaves_no_place_taken() -> None:
    ours = limits(Pace(1e6, 1000, 1), Line(queued=5, patience_s=0.01))
    async with ours.admit("ann", "shell"):
        assert "running" in str(await refusal(ours))
        with anyio.move_on_after(0):
            await call(ours)
    await call(ours)

    assert (ours._running, ours._callers["ann"].own.running, ours._turns) == (0, 0, {})


async def test_a_flood_of_refusals_is_a_line_a_second() -> None:
    clock, noted = Clock(), list[tuple[str, int]]()
    ours = Limits(
        Pace(0.001, 1, 10), AT_ONCE, note=lambda kind, told: noted.append((kind, told["refusals"])), clock=clock
    )
    await call(ours)
    for clock.now in (0, 0.5, 0.9, 2):
        await refusal(ours)

    assert noted == [("limit.refused", 1), ("limit.refused", 3)]


async def test_callers_not_heard_of_are_forgotten() -> None:
    clock = Clock()
    ours = limits(clock=clock)
    await call(ours)
    clock.now = 4000
    await call(ours, "bob")

    assert list(ours._callers) == ["bob"]
