"""What the server is told of the traffic: flows that ended, and refusals, counted so that no sandbox floods a disk."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from egress.cause import Cause
from egress.destination import clip
from egress.folded import Folded
from egress.refusal import Refusal

WINDOW_S = 1.0
MOST_DISTINCT = 20  # in one window
BURST = 500  # lines of one session's refusals
LINES_PER_SECOND = 0.3  # beyond the burst: a day of it is ten megabytes, not a disk
LONG_WINDOW_S = 60.0  # when a session has used them up
FLOWS_BURST = 5000  # lines of one session's flows: what a large install makes
FLOWS_PER_SECOND = 1.0
MOST_SESSIONS = 4096  # whose flows are counted

type Tell = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was refused, as far as it could be read; path is without its query."""

    method: str = ""
    scheme: str = ""
    path: str = ""


NOTHING_READ = Asked()


@dataclass(slots=True)
class _Counted:
    refusal: Refusal
    asked: Asked
    cause: Cause
    count: int = 0


@dataclass(slots=True)
class _Window:
    counted: dict[tuple[str, int, str, Cause], _Counted] = field(default_factory=dict)
    beyond: int = 0


@dataclass(slots=True)
class _Lines:
    """How many more of a session's refusals, or of its flows, may be told one by one."""

    most: float = BURST
    per_second: float = LINES_PER_SECOND
    left: float = field(init=False)
    at: float = 0.0

    def __post_init__(self) -> None:
        self.left = self.most

    def some(self, now: float) -> bool:
        self.left = min(self.most, self.left + (now - self.at) * self.per_second)
        self.at = now
        return self.left >= 1

    def take(self, now: float) -> bool:
        if not self.some(now):
            return False
        self.left -= 1
        return True


@dataclass(frozen=True, slots=True)
class FlowFacts:
    """One request that was let pass, when it is over. bytes are of heads and bodies; path is without its query; secrets are names.

    told_up: bytes_up as it was told meanwhile. address: what was dialled, empty where nothing was. rule: the entry of the list that admitted it.
    """

    host: str
    port: int
    scheme: str
    method: str
    path: str
    status: int
    bytes_up: int
    bytes_down: int
    duration_ms: int
    address: str = ""
    rule: str = ""
    told_up: int = 0
    secrets: tuple[str, ...] = ()
    learnt: bool = False
    failed: str = ""  # why its origin was not reached


class Journal:
    """Hands events to `tell`. A refusal is told at once; the same again within a second is counted and told after it.

    A session that goes on and on is told of in a line a minute, so that no count is lost and no disk fills. So it is with
    flows: beyond some thousand those that are alike are told together, with what they carried.
    """

    def __init__(self, tell: Tell) -> None:
        self.tell = tell
        self._windows: dict[str, _Window] = {}
        self._lines: dict[str, _Lines] = {}
        self._flows: dict[str, tuple[_Lines, Folded]] = {}

    def flow(self, session: str, cause: Cause, facts: FlowFacts, event: str = "flow") -> None:
        """event: flow where it is over, sending where it goes on."""
        lines, folded = self._flows_of(session)
        tell = self.tell if lines.take(asyncio.get_running_loop().time()) else folded.add
        tell(
            {
                "event": event,
                "session": session,
                "decisions": list(cause.decisions),
                "attribution": cause.attribution,
                "host": facts.host,
                "address": facts.address,
                "port": facts.port,
                "scheme": facts.scheme,
                "method": clip(facts.method, 20),
                "path": clip(facts.path, 500),
                "status": facts.status,
                "bytes_up": facts.bytes_up,
                "bytes_down": facts.bytes_down,
                **({"told_up": facts.told_up} if facts.told_up else {}),
                "duration_ms": facts.duration_ms,
                "rule": clip(facts.rule, 300),
                **({"learnt": True} if facts.learnt else {}),
                **({"failed": clip(facts.failed, 500)} if facts.failed else {}),
                **({"uninterpreted": True} if facts.scheme == "tcp" else {}),
                **({"secrets": list(facts.secrets)} if facts.secrets else {}),
            }
        )

    def _flows_of(self, session: str) -> tuple[_Lines, Folded]:
        """Made anew for what ends after its session; whichever was not asked for in the longest time goes."""
        found = self._flows.pop(session, None) or (_Lines(FLOWS_BURST, FLOWS_PER_SECOND), Folded(self.tell))
        self._flows[session] = found
        if len(self._flows) > MOST_SESSIONS:
            self._flows.pop(next(iter(self._flows)))[1].flush()
        return found

    def refused(self, session: str, cause: Cause, refusal: Refusal, asked: Asked = NOTHING_READ) -> None:
        window = self._windows.get(session) or self._opened(session)
        key = (refusal.host, refusal.port, refusal.rule, cause)
        full = len(window.counted) >= MOST_DISTINCT
        if key not in window.counted and (full or not self._may_tell(session)):
            window.beyond += 1
            return
        if key in window.counted:
            window.counted[key].count += 1
            return
        window.counted[key] = _Counted(refusal, asked, cause)
        self._tell_refused(session, _Counted(refusal, asked, cause, 1))

    def _may_tell(self, session: str) -> bool:
        return self._lines.setdefault(session, _Lines()).take(asyncio.get_running_loop().time())

    def _opened(self, session: str) -> _Window:
        window, loop = _Window(), asyncio.get_running_loop()
        length = WINDOW_S if self._lines.setdefault(session, _Lines()).some(loop.time()) else LONG_WINDOW_S
        loop.call_later(length, self._close, session, window)
        self._windows[session] = window
        return window

    def _close(self, session: str, window: _Window) -> None:
        if self._windows.get(session) is window:
            self.flush(session)

    def forget(self, session: str) -> None:
        """It is over; what is still counted is told."""
        self.flush(session)
        self._lines.pop(session, None)
        if session in self._flows:
            self._flows.pop(session)[1].flush()

    def flush(self, session: str) -> None:
        """Tell what one session was refused since its last window began."""
        window = self._windows.pop(session, _Window())
        for counted in window.counted.values():
            if counted.count and self._may_tell(session):
                self._tell_refused(session, counted)
            else:
                window.beyond += counted.count
        if window.beyond:
            rest = Refusal("egress.limit", "More was refused than is listed one by one.")
            self._tell_refused(session, _Counted(rest, NOTHING_READ, Cause(), window.beyond))

    def _tell_refused(self, session: str, counted: _Counted) -> None:
        refusal = counted.refusal
        self.tell(
            {
                "event": "refused",
                "session": session,
                "decisions": list(counted.cause.decisions),
                "attribution": counted.cause.attribution,
                "host": clip(refusal.host, 253),
                "port": refusal.port,
                "scheme": clip(counted.asked.scheme, 20),
                "method": clip(counted.asked.method, 20),
                "path": clip(counted.asked.path, 500),
                "rule": refusal.rule,
                "reason": clip(refusal.reason, 500),
                "count": counted.count,
                **({"approval": refusal.approval} if refusal.approval else {}),
            }
        )
