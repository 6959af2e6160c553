"""The bench's crowd: sessions side by side on one server, all of them at work."""

import statistics
from dataclasses import dataclass
from typing import Final

import anyio

from server.ops.measures.pace import Pace, grown, yardstick
from server.ops.measures.rig import Measure, Rig
from server.ops.measures.row import Row, Target, percentile, row
from server.ops.measures.server import BenchFailed, Home, Served, serving
from server.ops.process_memory import charged_mb, resident_mb

COMMAND: Final = "echo here; ls /workspace"
PROMISED: Final = 100  # sessions at once
_ALL: Final = 400  # calls, shared by whoever is there
_LEAST: Final = 5  # of each
_AT_ONCE: Final = 4  # sessions that are opened side by side: more would make each one slower
_QUIET: Final = "[sandbox]\nidle = 0\n"


@dataclass(frozen=True, slots=True)
class Work:
    """How the calls of a crowd went: milliseconds in order, how many failed, seconds in all."""

    times: list[float]
    failures: int
    seconds: float

    @property
    def middle(self) -> float:
        return statistics.median(self.times)

    @property
    def slowest(self) -> float:
        return percentile(self.times, 0.99)

    @property
    def rate(self) -> float:
        return len(self.times) / self.seconds


class Crowd:
    """Sessions of one caller on one server."""

    def __init__(self, rig: Rig, served: Served) -> None:
        self._rig, self._served = rig, served
        self._names: list[str] = []

    async def grow(self, wanted: int) -> None:
        limit = anyio.Semaphore(_AT_ONCE)

        async def one(name: str) -> None:
            async with limit:
                await self._served.call("session_open", session=name)

        new = [f"crowd-{number}" for number in range(len(self._names), wanted)]
        async with anyio.create_task_group() as tasks:
            for name in new:
                tasks.start_soon(one, name)
        self._names += new

    async def call(self, number: int = 0) -> None:
        await self._served.call("shell", command=COMMAND, session=self._names[number])

    async def work(self, size: int, calls: int) -> Work:
        """That many sessions, each calling on, one call after the other."""
        times: list[float] = []
        failures = 0

        async def one(number: int) -> None:
            nonlocal failures
            for _ in range(calls):
                began = self._rig.clock()
                try:
                    await self.call(number)
                except BenchFailed:
                    failures += 1
                times.append((self._rig.clock() - began) * 1000)

        began = self._rig.clock()
        async with anyio.create_task_group() as tasks:
            for number in range(size):
                tasks.start_soon(one, number)
        return Work(sorted(times), failures, self._rig.clock() - began)


async def _sessions(rig: Rig) -> list[Row]:
    """Rows of each crowd over one session alone; then how a single caller fares as more and more sessions stand by."""
    rows: list[Row] = []
    worked: dict[int, Work] = {}
    alone: dict[int, Pace] = {}
    most = max(rig.scale.crowds)
    with rig.home() as home, yardstick(rig) as beside:
        async with serving(home, _QUIET) as served:
            crowd = Crowd(rig, served)
            for size in sorted({*rig.scale.crowds, *(size for size in rig.scale.growth if size <= most)}):
                await crowd.grow(size)
                if size in rig.scale.growth:
                    alone[size] = await beside(crowd.call)
                if size in rig.scale.crowds:
                    worked[size] = await crowd.work(size, max(_LEAST, min(rig.scale.calls * 2, _ALL) // size))
                    rows += _crowd_rows(size, worked[size], worked[min(worked)])
            what = f"with {most} sessions that have worked, memory of"
            rows.append(row("sessions.memory", f"{what} each sandbox", await _memory(rig, home), "MB"))
            rows.append(row("sessions.server", f"{what} the server", resident_mb(served.pid), "MB"))
    return [*rows, *grown("growth.sessions", "a call; sessions open: {}", alone)]


def _crowd_rows(size: int, work: "Work", alone: "Work") -> list[Row]:
    promised = size == PROMISED
    what, name = f"sessions at once, all calling: {size}; ", f"sessions.{size}"
    return [
        row(name, f"{what}p50 of a call, over one alone", work.middle, "ms", baseline=alone.middle),
        row(
            f"{name}.p99",
            f"{what}p99 of a call, over their p50",
            work.slowest,
            "ms",
            baseline=work.middle,
            target=Target(20, of_ratio=True) if promised else None,
        ),
        row(f"{name}.rate", f"{what}together, over one alone", work.rate, "calls/s", baseline=alone.rate),
        row(
            f"{name}.failures",
            f"{what}calls that failed",
            work.failures,
            "calls",
            target=Target(0) if promised else None,
        ),
    ]


async def _memory(rig: Rig, home: Home) -> float:
    boxes = [line["sandbox"] for line in home.audited("sandbox.claimed")]
    with rig.bare() as bare:
        return statistics.fmean(charged_mb(bare.pid(f"sandgate-{box}")) for box in boxes)


MEASURES: Final = (Measure("sessions", 90, _sessions),)
