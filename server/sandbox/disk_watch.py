"""Where the engine has no quota: what sandboxes hold is weighed, and the commands of one that holds too much end.

The room on the engine's file system costs nothing to look at, so it is looked at often. Sandboxes are weighed, which takes
a walk through their files, where that room has changed, and now and then while any command runs: what one writes can be
hidden in that room by others who free as much.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import anyio

from server.sandbox.sandbox import MIB, SandboxFailed

LOOK_EVERY_S = 0.5
STEPS = 16  # of a limit: a sixteenth less room, or more, is worth a weighing
LEAST_STEP_BYTES = 16 * MIB
RESTS, LONGEST_REST_S = 9, 10.0  # a busy host is no reason to walk through all files all the time
WEIGH_EVERY_S, SHARE = 10.0, 100  # while commands run, whatever the room says; a hundredth of the time at most
RESERVE_BYTES = 1024 * MIB  # of the host's: with less, whoever still grows is stopped, whatever his limit


@dataclass(frozen=True, slots=True)
class Weight:
    """Bytes of one sandbox. whole: nothing of it can have been missed. guessed: holes in files may have been counted."""

    size: int
    whole: bool = True
    guessed: bool = False


@dataclass
class _Box:
    """One sandbox. `most_room`: what the file system had when it had most, since the sandbox is there; `held_then`: what
    all sandboxes together held at that moment."""

    limit: int
    stop: Callable[[], None]
    most_room: int
    held_then: int
    stop_at: int
    used: int = 0
    weighed: int = 0


class DiskWatch:
    """`room`: bytes free where the engine keeps its containers, None where nobody knows. `weigh`: sandbox -> its weight."""

    def __init__(
        self,
        room: Callable[[], int | None],
        weigh: Callable[[], Awaitable[Mapping[str, Weight]]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._room, self._weigh, self._clock = room, weigh, clock
        self._boxes: dict[str, _Box] = {}
        self._most = self._least = 0  # the room since the last weighing
        self._weighing = anyio.Lock()
        self._rests_until = 0.0  # by the clock
        self._due_at = 0.0  # as well, where commands run
        self._stirred = False

    def enter(self, identity: str, limit: int, stop: Callable[[], None]) -> None:
        """`stop` sees to it that the sandbox's commands end, and why is said; nobody waits for that here."""
        room = self._room() or 0
        if not self._boxes:
            self._most = self._least = room
            self._due_at = self._clock() + WEIGH_EVERY_S
        self._boxes[identity] = _Box(limit, stop, room, self._held, limit)

    def leave(self, identity: str) -> None:
        self._boxes.pop(identity, None)

    def stir(self) -> None:
        """Something runs in a sandbox, or a file was written."""
        self._stirred = True

    async def is_full(self, identity: str) -> bool:
        """Whether it holds as much as it may; weighed anew where it did at the last look."""
        box = self._boxes.get(identity)
        if box is not None and box.used >= box.limit:
            await self._weigh_all()
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
            if room > box.most_room:
                box.most_room, box.held_then = room, self._held
        self._most, self._least = max(self._most, room), min(self._least, room)
        step = max(LEAST_STEP_BYTES, min(box.limit for box in self._boxes.values()) // STEPS)
        moved = max(self._most - room, room - self._least) >= step or (room < RESERVE_BYTES and room < self._most)
        now = self._clock()
        if (moved and now >= self._rests_until) or (self._stirred and now >= self._due_at):
            await self._weigh_all()

    @property
    def _held(self) -> int:
        return sum(box.weighed for box in self._boxes.values())

    async def _weigh_all(self) -> None:
        async with self._weighing:
            self._stirred = False
            began = self._clock()
            with suppress(SandboxFailed):  # the engine does not answer: the next look asks again
                weights = await self._weigh()
                took = self._clock() - began
                self._rests_until = began + took + min(LONGEST_REST_S, took * RESTS)
                self._due_at = began + max(WEIGH_EVERY_S, took * SHARE)
                room = self._room() or 0
                self._most = self._least = room
                found = [(box, weights[identity]) for identity, box in self._boxes.items() if identity in weights]
                for box, weight in found:
                    box.weighed = weight.size
                for box, weight in found:
                    _judge(box, _used(box, weight, room, self._held), room)


def _used(box: _Box, weight: Weight, room: int, held: int) -> int:
    """What cannot be seen of it is taken for what the file system lost meanwhile, beyond what is seen of all."""
    lost = max(0, box.most_room - room)
    if weight.guessed:
        return min(weight.size, lost)
    return weight.size + (0 if weight.whole else max(0, lost - max(0, held - box.held_then)))


def _judge(box: _Box, used: int, room: int) -> None:
    before, box.used = box.used, used
    step = max(LEAST_STEP_BYTES, box.limit // STEPS)
    scarce = room < RESERVE_BYTES and box.used >= before + LEAST_STEP_BYTES
    if box.used >= box.stop_at or scarce:
        box.stop_at = max(box.limit, box.used + step)  # what tidies up afterwards is not stopped for it
        box.stop()
    elif box.used < box.limit:
        box.stop_at = box.limit
