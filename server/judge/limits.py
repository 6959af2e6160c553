"""How often and how many at once, for each caller, for each of its tools, and for all together; and who is next.

A call that has to wait stands behind its own caller's calls, never behind another's: places that come free go round.
"""

import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Never

import anyio

from server.note import Note

IDLE_S: Final = 3600.0  # a caller not heard of for this long is forgotten
MAX_CALLERS: Final = 10_000
LATER_S: Final = 1.0  # when to try again where only the end of what runs would help
LOOK_AGAIN_S: Final = 0.25  # for a place, where no call that ends says that there is one
REFUSED_AFTER_S: Final = 0.1  # so that who asks again at once is slowed
MOST_SLOWED: Final = 64  # of one caller
FREES: Final = frozenset({"job_stop", "session_close"})  # what ends things never waits behind what runs
NO_TOOLS: Final = MappingProxyType[str, "Pace"]({})


def _unheard(_kind: str, _fields: Mapping[str, Any]) -> None:
    """Where nobody records."""


class TooMany(Exception):
    """The caller has spent its calls for now, or as many run and wait as it may have."""

    def __init__(self, reason: str, retry_after_s: float) -> None:
        super().__init__(f"{reason}; try again in {retry_after_s:.1f} s")
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Pace:
    """`per_s` calls in the long run, `burst` at once, `concurrent` running."""

    per_s: float
    burst: int
    concurrent: int


@dataclass(frozen=True, slots=True)
class Line:
    """Who waits: `everyone` calls run at once, whoever's they are; of each caller `queued` wait, for `patience_s`."""

    everyone: int = 256
    queued: int = 64
    patience_s: float = 5.0


@dataclass
class _Bucket:
    pace: Pace
    tokens: float
    seen: float
    running: int = 0

    def fill(self, now: float) -> None:
        self.tokens = min(self.pace.burst, self.tokens + (now - self.seen) * self.pace.per_s)
        self.seen = now

    def lacks_s(self, calls: int = 1) -> float:
        """Until there are tokens for so many calls."""
        return max(0.0, (calls - self.tokens) / self.pace.per_s)

    @property
    def is_open(self) -> bool:
        return self.tokens >= 1 and self.running < self.pace.concurrent


@dataclass
class _Waiting:
    tool: str
    buckets: tuple[_Bucket, ...]
    turn: anyio.Event = field(default_factory=anyio.Event)


@dataclass
class _Caller:
    own: _Bucket
    tools: dict[str, _Bucket] = field(default_factory=dict[str, _Bucket])
    waiting: deque[_Waiting] = field(default_factory=deque[_Waiting])
    slowed: int = 0
    refused: int = 0
    told: float = -1e9


class Limits:
    """`note`: a line of the audit, one a second of each caller that is refused. The clock is injected for tests."""

    def __init__(
        self,
        each: Pace,
        line: Line,
        tools: Mapping[str, Pace] = NO_TOOLS,
        note: Note = _unheard,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._each, self._line, self._tools, self._note, self._clock = each, line, tools, note, clock
        self._callers: dict[str, _Caller] = {}
        self._turns: dict[str, None] = {}  # callers that wait, in the order of their turns
        self._running = 0

    @asynccontextmanager
    async def admit(self, caller: str, tool: str) -> AsyncGenerator[None]:
        """Hold one of the caller's places while the call lasts, waiting for it within bounds. Raises TooMany."""
        key = f"{caller}\0frees" if tool in FREES else caller
        known = self._known(key)
        buckets = self._buckets(known, tool)
        if known.waiting or not self._is_free(key, buckets):
            await self._wait(key, known, _Waiting(tool, buckets))
        else:
            self._take(buckets)
        try:
            yield
        finally:
            self._running -= 1
            for bucket in buckets:
                bucket.running -= 1
            self._go_round()

    @property
    def running(self) -> int:
        """How many calls hold a place now."""
        return self._running

    # --- places ------------------------------------------------------------------------------------------------------

    def _is_free(self, key: str, buckets: tuple[_Bucket, ...]) -> bool:
        place = (self._running < self._line.everyone and not self._turns) or key.endswith("\0frees")
        return place and all(bucket.is_open for bucket in buckets)

    def _take(self, buckets: tuple[_Bucket, ...]) -> None:
        self._running += 1
        for bucket in buckets:
            bucket.tokens -= 1
            bucket.running += 1

    async def _wait(self, key: str, caller: _Caller, waiting: _Waiting) -> None:
        """Raises TooMany."""
        soonest = max(bucket.lacks_s(len(caller.waiting) + 1) for bucket in waiting.buckets)
        if len(caller.waiting) >= self._line.queued or soonest > self._line.patience_s:
            await self._refuse(key, caller, waiting, soonest)
        caller.waiting.append(waiting)
        self._turns.setdefault(key)
        self._go_round()
        try:
            await self._stand(caller, waiting)
        except BaseException:
            if waiting.turn.is_set():  # its turn came in the very moment it went
                self._running -= 1
                for bucket in waiting.buckets:
                    bucket.running -= 1
            raise
        finally:
            if not waiting.turn.is_set():
                caller.waiting.remove(waiting)
            if not caller.waiting:
                self._turns.pop(key, None)
            self._go_round()
        if not waiting.turn.is_set():
            await self._refuse(key, caller, waiting, soonest)

    async def _stand(self, caller: _Caller, waiting: _Waiting) -> None:
        """Until its turn comes, or its patience ends."""
        with anyio.move_on_after(self._line.patience_s):
            while not waiting.turn.is_set():
                before = caller.waiting.index(waiting) + 1
                due = max(bucket.lacks_s(before) for bucket in waiting.buckets)
                with anyio.move_on_after(due or LOOK_AGAIN_S):
                    await waiting.turn.wait()
                self._go_round()

    def _go_round(self) -> None:
        """Each caller in line once, then the next one, for as long as there are places."""
        now, passed = self._clock(), 0
        while self._turns and passed < len(self._turns) and self._running < self._line.everyone:
            key = next(iter(self._turns))
            del self._turns[key]
            caller = self._callers[key]
            found = self._first_that_may(caller, now)
            if found is not None:
                caller.waiting.remove(found)
                self._take(found.buckets)
                found.turn.set()
            passed = 0 if found is not None else passed + 1
            if caller.waiting:
                self._turns[key] = None  # behind the others

    def _first_that_may(self, caller: _Caller, now: float) -> _Waiting | None:
        """One whose tool is at its limit does not keep the caller's others from going."""
        for bucket in (caller.own, *caller.tools.values()):
            bucket.fill(now)
        if not caller.own.is_open:
            return None
        return next((one for one in caller.waiting if all(bucket.is_open for bucket in one.buckets)), None)

    # --- saying no ---------------------------------------------------------------------------------------------------

    async def _refuse(self, key: str, caller: _Caller, waiting: _Waiting, soonest_s: float) -> Never:
        if caller.slowed < MOST_SLOWED:
            caller.slowed += 1
            try:
                await anyio.sleep(REFUSED_AFTER_S)
            finally:
                caller.slowed -= 1
        refusal = self._refusal(waiting.buckets, soonest_s)
        caller.refused += 1
        if (now := self._clock()) - caller.told >= 1:
            told = {"caller": key.partition("\0")[0], "tool": waiting.tool, "reason": str(refusal)}
            self._note("limit.refused", {**told, "refusals": caller.refused})
            caller.told, caller.refused = now, 0
        raise refusal

    def _refusal(self, buckets: tuple[_Bucket, ...], soonest_s: float) -> TooMany:
        if soonest_s > 0:
            return TooMany("you are calling faster than allowed", soonest_s)
        full = [bucket.running for bucket in buckets if bucket.running >= bucket.pace.concurrent]
        if full:
            return TooMany(f"{full[0]} of your calls are running, as many as allowed", LATER_S)
        return TooMany(f"{self._running} calls are running, as many as this server allows", LATER_S)

    # --- callers -----------------------------------------------------------------------------------------------------

    def _known(self, key: str) -> _Caller:
        now = self._clock()
        if key not in self._callers:
            self._forget(now)
            self._callers[key] = _Caller(_Bucket(self._each, self._each.burst, now))
        return self._callers[key]

    def _buckets(self, caller: _Caller, tool: str) -> tuple[_Bucket, ...]:
        now = self._clock()
        if tool in self._tools and tool not in caller.tools:
            caller.tools[tool] = _Bucket(self._tools[tool], self._tools[tool].burst, now)
        found = (caller.own, caller.tools[tool]) if tool in caller.tools else (caller.own,)
        for bucket in found:
            bucket.fill(now)
        return found

    def _forget(self, now: float) -> None:
        """Those not heard of for long, and where that is not enough whoever was not for longest; none whose calls run."""
        idle = [
            key
            for key, caller in self._callers.items()
            if not caller.own.running and not caller.waiting and now - caller.own.seen > IDLE_S
        ]
        if len(self._callers) >= MAX_CALLERS and not idle:
            quiet = (key for key, caller in self._callers.items() if not caller.own.running and not caller.waiting)
            idle = list(quiet)[:1]
        for key in idle:
            del self._callers[key]
