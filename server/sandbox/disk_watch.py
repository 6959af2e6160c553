"""Where the engine has no quota: what sandboxes write is measured, and the commands of one that writes too much end.

The room on the engine's file system costs nothing to look at, so it is looked at often. Only where it has shrunk is each
sandbox measured: the engine walks its writable layer for that.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import anyio

from server.sandbox.sandbox import MIB, SandboxFailed, SandboxLost

LOOK_EVERY_S = 0.5
STEPS = 16  # of a limit: a sixteenth less room is worth a measurement
LEAST_STEP_BYTES = 16 * MIB
RESTS, LONGEST_REST_S = 9, 10.0  # a busy host is no reason to walk through all files all the time
RESERVE_BYTES = 1024 * MIB  # of the host's: with less, whoever still grows is stopped, whatever his limit


@dataclass
class _Box:
    """One sandbox. `most_room`: what the file system had when it had most, since the sandbox is there."""

    limit: int
    stop: Callable[[], Awaitable[None]]
    most_room: int
    stop_at: int
    used: int = 0


class DiskWatch:
    """`room`: bytes free where the engine keeps its containers, None where nobody knows. `measure`: sandbox -> bytes."""

    def __init__(
        self,
        room: Callable[[], int | None],
        measure: Callable[[], Awaitable[Mapping[str, int]]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._room, self._measure, self._clock = room, measure, clock
        self._boxes: dict[str, _Box] = {}
        self._seen = 0  # the room at the last measurement, or the most since
        self._measuring = anyio.Lock()
        self._rests_until = 0.0  # by the clock

    def enter(self, identity: str, limit: int, stop: Callable[[], Awaitable[None]]) -> None:
        """`stop` ends the sandbox's commands and says why."""
        room = self._room() or 0
        self._boxes[identity] = _Box(limit, stop, room, limit)
        self._seen = max(self._seen, room)

    def leave(self, identity: str) -> None:
        self._boxes.pop(identity, None)

    async def is_full(self, identity: str) -> bool:
        """Whether it holds as much as it may; measured anew where it did at the last look."""
        box = self._boxes.get(identity)
        if box is not None and box.used >= box.limit:
            await self._measure_all()
        return box is not None and box.used >= box.limit

    async def serve(self) -> None:
        while True:
            await anyio.sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        room = self._room()
        if room is None or not self._boxes:
            return
        for box in self._boxes.values():
            box.most_room = max(box.most_room, room)
        self._seen = max(self._seen, room)
        step = max(LEAST_STEP_BYTES, min(box.limit for box in self._boxes.values()) // STEPS)
        shrank = self._seen - room >= step or (room < RESERVE_BYTES and room < self._seen)
        if shrank and self._clock() >= self._rests_until:
            await self._measure_all()

    async def _measure_all(self) -> None:
        async with self._measuring:
            began = self._clock()
            with suppress(SandboxFailed):  # the engine does not answer: the next look asks again
                sizes = await self._measure()
                took = self._clock() - began
                self._rests_until = began + took + min(LONGEST_REST_S, took * RESTS)
                room = self._room() or 0
                self._seen = room
                for identity, box in list(self._boxes.items()):
                    await _judge(box, sizes.get(identity, 0), room)


async def _judge(box: _Box, measured: int, room: int) -> None:
    """Holes in files are measured as if they were full, so it holds no more than the file system lost meanwhile."""
    before, box.used = box.used, min(measured, max(0, box.most_room - room))
    step = max(LEAST_STEP_BYTES, box.limit // STEPS)
    scarce = room < RESERVE_BYTES and box.used >= before + LEAST_STEP_BYTES
    if box.used >= box.stop_at or scarce:
        box.stop_at = max(box.limit, box.used + step)  # what tidies up afterwards is not stopped for it
        with suppress(SandboxLost):
            await box.stop()
    elif box.used < box.limit:
        box.stop_at = box.limit
