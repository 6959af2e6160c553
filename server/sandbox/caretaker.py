"""Looks after sessions that nobody uses: one after the other comes to rest, and those whose time is over end."""

import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import anyio

from server.sandbox.room import Room
from server.sandbox.session import Session

LOOKS = 4  # in the shortest of the periods: how late a session comes to rest
OFTENEST_S, RAREST_S = 0.05, 15.0
SOUGHT_AGAIN_S = 0.5  # between two looks while somebody waits for a place
SPARED_S = 10.0  # used more lately than that, a session gives way to nobody
BURY_EVERY_S = 300.0

log = logging.getLogger("sandgate")


@dataclass(frozen=True, slots=True)
class Periods:
    """Seconds without use after which a session is frozen, then parked, then forgotten; 0 is never."""

    freeze_s: float = 120.0
    park_s: float = 1200.0
    keep_parked_s: float = 14 * 86400.0

    @property
    def look_every_s(self) -> float:
        shortest = min((period for period in (self.freeze_s, self.park_s) if period), default=RAREST_S * LOOKS)
        return min(RAREST_S, max(OFTENEST_S, shortest / LOOKS))


@dataclass(frozen=True, slots=True)
class Shares:
    """What one caller keeps at most: parked sessions, and bytes of what its commands wrote."""

    parked: int = 50
    output_bytes: int = 4 << 30


class Tended(Protocol):
    """The sessions, as far as they are looked after. Where a step raises it has changed nothing, or can be taken again."""

    def at_hand(self) -> list[Session]: ...

    async def freeze(self, session: Session) -> None: ...

    async def park(self, session: Session) -> None: ...

    async def expire(self, session: Session) -> None: ...

    async def bury(self, unused_since: float, most_parked: int) -> None: ...

    @property
    def room(self) -> Room: ...


class Caretaker:
    def __init__(
        self, sessions: Tended, periods: Periods, shares: Shares, clock: Callable[[], float] = time.time
    ) -> None:
        self._sessions, self._periods, self._shares, self._clock = sessions, periods, shares, clock
        self._buried = 0.0

    async def keep(self) -> None:
        """For as long as the server lives."""
        while True:
            with anyio.move_on_after(self._periods.look_every_s):
                await self._sessions.room.sought.wait()
                await anyio.sleep(SOUGHT_AGAIN_S)
            await self.round()

    async def round(self) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._step, self._give_way)
            for session in self._sessions.at_hand():
                tasks.start_soon(self._step, partial(self._tend, session))
            tasks.start_soon(self._step, self._bury)
            tasks.start_soon(self._step, self._shed_output)

    async def _step(self, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except Exception as exc:  # noqa: BLE001 - such as a record that cannot be written; that ends calls, not the server
            log.warning("%s; tried again later", exc)

    async def _tend(self, session: Session) -> None:
        idle = self._clock() - session.used
        asleep = session.state in ("live", "frozen") and session.quiet
        if session.over or (session.state == "parked" and _longer(idle, self._periods.keep_parked_s)):
            await self._sessions.expire(session)
        elif asleep and _longer(idle, self._periods.park_s):
            await self._sessions.park(session)
        elif asleep and session.state == "live" and _longer(idle, self._periods.freeze_s):
            await self._sessions.freeze(session)

    async def _give_way(self) -> None:
        """Where somebody waits for a place, the session that nobody has used for longest is parked ahead of its time."""
        if self._sessions.room.sought.is_set():
            since, room = self._clock() - SPARED_S, self._sessions.room
            quiet = [found for found in self._sessions.at_hand() if found.box and found.quiet and found.used <= since]
            if helping := [session for session in quiet if room.would_help(session.owner)]:
                await self._sessions.park(min(helping, key=lambda session: session.used))

    async def _shed_output(self) -> None:
        """Of a caller whose sessions keep too much, the one that was not used for longest gives way first."""
        of = defaultdict[str, list[Session]](list)
        for session in sorted(self._sessions.at_hand(), key=lambda session: session.used):
            of[session.owner].append(session)
        for sessions in of.values():
            over = sum(session.room.used for session in sessions) - self._shares.output_bytes
            for session in sessions if over > 0 else ():
                over -= session.room.shed(over) if over > 0 else 0

    async def _bury(self) -> None:
        now, keep = self._clock(), self._periods.keep_parked_s
        if now - self._buried >= BURY_EVERY_S:
            self._buried = now
            await self._sessions.bury(now - keep if keep else 0.0, self._shares.parked)


def _longer(idle: float, period: float) -> bool:
    return bool(period) and idle >= period
