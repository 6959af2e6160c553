"""Whose turn it is: one process serves all sessions, so a session with a hundred busy connections may not be served first.

Each session has one turn a round, however many of its connections have something to do; and the loop looks for new
bytes between two turns. Where nobody else is waiting, a turn costs next to nothing.
"""

import asyncio
from collections import OrderedDict, deque

LONG_S = 0.002  # of one turn; a handshake takes as much
VERY_LONG_S = 0.02
PENALTY = 20  # times as long as that, a session reads little; else one costly bite in ten would do
SMALLEST, LARGEST = 1024, 256 * 1024  # bytes


class Turns:
    """Of all sessions of one gate."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[object, deque[asyncio.Future[None]]] = OrderedDict()
        self._taken = False

    async def take(self, session: object) -> None:
        """Returns when it is the session's turn, which ends with the caller's next wait."""
        loop = asyncio.get_running_loop()
        if not self._taken:
            self._taken = True
            loop.call_soon(self._next)
            return
        turn = loop.create_future()
        self._waiting.setdefault(session, deque()).append(turn)
        await turn

    def _next(self) -> None:
        """Once in each round of the loop, while somebody waits."""
        while self._waiting:
            session, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._waiting[session] = turns  # behind the others
            if not turn.done():  # else whoever waited was cancelled
                turn.set_result(None)
                asyncio.get_running_loop().call_soon(self._next)
                return
        self._taken = False


class Bite:
    """How much a session's connections read at once: less where a little is much work, as thousands of tiny frames are."""

    def __init__(self) -> None:
        self.size = LARGEST
        self._small_until = 0.0

    def took(self, seconds: float, now: float) -> None:
        """The last bite kept the processor busy for so long."""
        if seconds > VERY_LONG_S:
            self.size = SMALLEST
            self._small_until = now + PENALTY * seconds
        elif seconds > LONG_S:
            self.size = max(self.size // 2, SMALLEST)
        elif seconds < LONG_S / 4 and now > self._small_until:
            self.size = min(self.size * 2, LARGEST)
