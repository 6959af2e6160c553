"""Looks after sessions that nobody uses: one after the other comes to rest, and those whose time is over end."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import anyio

from server.sandbox.sandbox import SandboxFailed
from server.sandbox.session import Session

LOOKS = 4  # in the shortest of the periods: how late a session comes to rest
OFTENEST_S, RAREST_S = 0.05, 15.0

log = logging.getLogger("sandgate")


@dataclass(frozen=True, slots=True)
class Periods:
    """Seconds without use after which a session is frozen; 0 is never."""

    freeze_s: float = 120.0

    @property
    def look_every_s(self) -> float:
        shortest = min((period for period in (self.freeze_s,) if period), default=RAREST_S * LOOKS)
        return min(RAREST_S, max(OFTENEST_S, shortest / LOOKS))


class Tended(Protocol):
    """The sessions, as far as they are looked after. Each step raises SandboxFailed and then has changed nothing."""

    def at_hand(self) -> list[Session]: ...

    async def freeze(self, session: Session) -> None: ...

    async def expire(self, session: Session) -> None: ...


class Caretaker:
    def __init__(self, sessions: Tended, periods: Periods, clock: Callable[[], float] = time.time) -> None:
        self._sessions, self._periods, self._clock = sessions, periods, clock

    async def keep(self) -> None:
        """For as long as the server lives."""
        while True:
            await anyio.sleep(self._periods.look_every_s)
            await self.round()

    async def round(self) -> None:
        async with anyio.create_task_group() as tasks:
            for session in self._sessions.at_hand():
                tasks.start_soon(self._tend, session)

    async def _tend(self, session: Session) -> None:
        try:
            await self._next_step(session)
        except SandboxFailed as exc:
            log.warning("%s", exc)

    async def _next_step(self, session: Session) -> None:
        idle = self._clock() - session.used
        if session.over:
            await self._sessions.expire(session)
        elif session.state == "live" and session.quiet and _longer(idle, self._periods.freeze_s):
            await self._sessions.freeze(session)


def _longer(idle: float, period: float) -> bool:
    return bool(period) and idle >= period
