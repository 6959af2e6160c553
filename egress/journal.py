"""What the server is told of the traffic: each flow that ended, and refusals, counted so that no sandbox floods a disk."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from egress.cause import Cause
from egress.destination import clip
from egress.refusal import Refusal

WINDOW_S = 1.0
MOST_DISTINCT = 20

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


@dataclass(frozen=True, slots=True)
class FlowFacts:
    """One request that was let pass, when it is over. bytes are of bodies; path is without its query; secrets are names.

    address: what was dialled, empty where nothing was. rule: the entry of the list that admitted it.
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
    secrets: tuple[str, ...] = ()
    learnt: bool = False


class Journal:
    """Hands events to `tell`. A refusal is told at once; the same again within a second is counted and told after it."""

    def __init__(self, tell: Tell) -> None:
        self.tell = tell
        self._windows: dict[str, _Window] = {}

    def flow(self, session: str, cause: Cause, facts: FlowFacts) -> None:
        self.tell(
            {
                "event": "flow",
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
                "duration_ms": facts.duration_ms,
                "rule": clip(facts.rule, 300),
                **({"learnt": True} if facts.learnt else {}),
                **({"uninterpreted": True} if facts.scheme == "tcp" else {}),
                **({"secrets": list(facts.secrets)} if facts.secrets else {}),
            }
        )

    def refused(self, session: str, cause: Cause, refusal: Refusal, asked: Asked = NOTHING_READ) -> None:
        if session not in self._windows:
            self._windows[session] = _Window()
            asyncio.get_running_loop().call_later(WINDOW_S, self.flush, session)
        window = self._windows[session]
        key = (refusal.host, refusal.port, refusal.rule, cause)
        if key not in window.counted and len(window.counted) >= MOST_DISTINCT:
            window.beyond += 1
            return
        if key in window.counted:
            window.counted[key].count += 1
            return
        window.counted[key] = _Counted(refusal, asked, cause)
        self._tell_refused(session, _Counted(refusal, asked, cause, 1))

    def flush(self, session: str) -> None:
        """Tell what one session was refused since its last window began."""
        window = self._windows.pop(session, _Window())
        for counted in window.counted.values():
            if counted.count:
                self._tell_refused(session, counted)
        if window.beyond:
            rest = Refusal("egress.limit", "More was refused in this second than is listed one by one.")
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
