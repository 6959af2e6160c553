"""Room for sandboxes: how many are in use, and a queue at the cap in which no caller stands before another twice."""

import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Final

import anyio

PATIENCE_S: Final = 10.0  # a client gives up on a call after 60 s, and the sandbox is still to be made then
LEAVINGS_KEPT: Final = 8
SOONEST_S, LATEST_S = 1.0, 60.0  # what a caller is told to wait, whatever is estimated
UNKNOWN_S: Final = 15.0  # where none has left yet


class Full(Exception):
    """As many sandboxes are in use as allowed, and none came free in time; `retry_after_s` is when to try again."""

    def __init__(self, sentence: str, retry_after_s: float) -> None:
        super().__init__(sentence)
        self.retry_after_s = retry_after_s


class Room:
    """Places for `most` sandboxes, `each` of one caller. Who waits is served by turns: each caller in line once, then the
    next one."""

    def __init__(
        self,
        most: int,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
        *,
        each: int | None = None,
    ) -> None:
        self._most, self._patience_s, self._clock = most, patience_s, clock
        self._each = most if each is None else min(each, most)
        self._waiting: dict[str, deque[anyio.Event]] = {}  # by caller, in the order of their turns
        self._left: deque[float] = deque(maxlen=LEAVINGS_KEPT)
        self._of = Counter[str]()
        self.sought = anyio.Event()  # set while somebody waits: whoever can give a place up may do so

    @property
    def used(self) -> int:
        return self._of.total()

    async def enter(self, caller: str) -> None:
        """Take a place, waiting for it where there is none. Raises Full."""
        if self.used < self._most and self._of[caller] < self._each and not self._waiting:
            self._of[caller] += 1
            return
        if sum(map(len, self._waiting.values())) >= self._most:
            raise self._full(caller, "and as many callers wait")
        turn = anyio.Event()
        self._waiting.setdefault(caller, deque()).append(turn)
        self._call_next()
        if self._waiting:
            self.sought.set()
        try:
            with anyio.move_on_after(self._patience_s):
                await turn.wait()
        except BaseException:
            self._give_up(caller, turn)
            raise
        if not turn.is_set():
            self._give_up(caller, turn)
            raise self._full(caller, f"and none came free within {self._patience_s:.0f} s")

    def take(self, caller: str) -> None:
        """A place for a sandbox that is there already, over the cap where it must be."""
        self._of[caller] += 1

    def leave(self, caller: str) -> None:
        """Give a place back: it is the next one's in line."""
        self._left.append(self._clock())
        self._of[caller] -= 1
        if not self._of[caller]:
            del self._of[caller]
        self._call_next()

    def would_help(self, caller: str) -> bool:
        """Whether somebody who waits could come in where this caller gave a place up."""
        crowded = {one for one in self._waiting if self._of[one] >= self._each}
        return caller in crowded or (self.used >= self._most and not self._waiting.keys() <= crowded)

    def _call_next(self) -> None:
        while self.used < self._most and (caller := self._next()) is not None:
            turns = self._waiting.pop(caller)
            turns.popleft().set()
            self._of[caller] += 1
            if turns:
                self._waiting[caller] = turns  # behind the others
        if not self._waiting:
            self.sought = anyio.Event()

    def _next(self) -> str | None:
        return next((caller for caller in self._waiting if self._of[caller] < self._each), None)

    def _give_up(self, caller: str, turn: anyio.Event) -> None:
        if turn.is_set():  # its turn came in the very moment it went
            self.leave(caller)
            return
        self._waiting[caller].remove(turn)
        if not self._waiting[caller]:
            del self._waiting[caller]
        self._call_next()

    def _full(self, caller: str, why: str) -> Full:
        after = self._retry_after_s()
        own = f"{self._each} sandboxes of yours" if self._of[caller] >= self._each else f"{self._most} sandboxes"
        return Full(
            f"{own} are in use, as many as allowed, {why}: close a session that is not needed "
            f"(session_list shows yours, session_close ends one), or try again in {after:.0f} s",
            after,
        )

    def _retry_after_s(self) -> float:
        """From how often a place came free of late, and how many stand in line."""
        if not self._left:
            return UNKNOWN_S
        each = (self._clock() - self._left[0]) / len(self._left)
        return min(LATEST_S, max(SOONEST_S, each * (1 + sum(map(len, self._waiting.values())))))

    def __repr__(self) -> str:
        return f"<room {self.used} of {self._most}, {sum(map(len, self._waiting.values()))} wait>"
