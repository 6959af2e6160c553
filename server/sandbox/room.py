"""Room for sandboxes: how many are in use, and a queue at the cap in which no caller stands before another twice."""

import time
from collections import deque
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
    """Places for `most` sandboxes. Who waits is served by turns: each caller in line once, then the next one."""

    def __init__(self, most: int, patience_s: float = PATIENCE_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._patience_s, self._clock = most, patience_s, clock
        self._waiting: dict[str, deque[anyio.Event]] = {}  # by caller, in the order of their turns
        self._left: deque[float] = deque(maxlen=LEAVINGS_KEPT)
        self.used = 0
        self.sought = anyio.Event()  # set while somebody waits: whoever can give a place up may do so

    async def enter(self, caller: str) -> None:
        """Take a place, waiting for it where there is none. Raises Full."""
        if self.used < self._most and not self._waiting:
            self.used += 1
            return
        if sum(map(len, self._waiting.values())) >= self._most:
            raise self._full("and as many callers wait")
        turn = anyio.Event()
        self._waiting.setdefault(caller, deque()).append(turn)
        self.sought.set()
        try:
            with anyio.move_on_after(self._patience_s):
                await turn.wait()
        except BaseException:
            self._give_up(caller, turn)
            raise
        if not turn.is_set():
            self._give_up(caller, turn)
            raise self._full(f"and none came free within {self._patience_s:.0f} s")

    def take(self) -> None:
        """A place for a sandbox that is there already, over the cap where it must be."""
        self.used += 1

    def leave(self) -> None:
        """Give a place back: it is the next one's in line."""
        self._left.append(self._clock())
        self.used -= 1
        self._call_next()

    def _call_next(self) -> None:
        while self._waiting and self.used < self._most:
            caller, turns = next(iter(self._waiting.items()))
            del self._waiting[caller]
            turns.popleft().set()
            self.used += 1
            if turns:
                self._waiting[caller] = turns  # behind the others
        if not self._waiting:
            self.sought = anyio.Event()

    def _give_up(self, caller: str, turn: anyio.Event) -> None:
        if turn.is_set():  # its turn came in the very moment it went
            self.leave()
            return
        self._waiting[caller].remove(turn)
        if not self._waiting[caller]:
            del self._waiting[caller]
        self._call_next()

    def _full(self, why: str) -> Full:
        after = self._retry_after_s()
        return Full(
            f"{self._most} sandboxes are in use, as many as allowed, {why}: close a session that is not needed "
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
