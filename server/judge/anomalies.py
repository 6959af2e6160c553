"""What is unusual in what is recorded: bursts of denials, of bytes that leave, of new hosts, of failures.

Counted for each caller over all of its sessions, for an agent may open as many as it likes. What follows, follows for the
session in which it happened and those that are opened later; for one from before as soon as it happens there too.
"""

import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import anyio

from server.judge.suspicion import Suspicion, Suspicions
from server.note import Note

MOST_KEYS: Final = 10_000  # callers, addresses, calls, hosts of one caller: the one heard of longest ago is forgotten
LOOK_EVERY_S: Final = 0.2
ASLEEP_S: Final = 1.0  # while no session is awake
AGAIN_S: Final = 2.0  # where one could not be made to stand still
MB: Final = 1 << 20

log = logging.getLogger("sandgate")

type Awake = Callable[[], Iterable[tuple[str, str]]]  # owner, session: where commands could run now
type Hold = Callable[[str, str], Any]  # owner, session -> an awaitable: its commands stand still


@dataclass(frozen=True, slots=True)
class Bound:
    """`count` within `window_s` is unusual; effect: record, ask or freeze. A count of 0: never."""

    count: float
    window_s: float
    effect: str


@dataclass
class _Window:
    """Amounts by the second in which they came."""

    parts: deque[tuple[int, float]] = field(default_factory=deque[tuple[int, float]])
    told: dict[str, float] = field(default_factory=dict[str, float])  # session -> when

    def add(self, amount: float, now: float, window_s: float) -> float:
        """The sum of what came within the window, this included."""
        if self.parts and self.parts[-1][0] == int(now):
            amount += self.parts.pop()[1]
        self.parts.append((int(now), amount))
        while self.parts[0][0] <= now - window_s:
            self.parts.popleft()
        return sum(part for _, part in self.parts)


class _Call(NamedTuple):
    caller: str
    session: str
    tool: str


class Anomalies:
    """Hears each line of the audit; `note` writes one of its own, and raises nothing."""

    def __init__(
        self,
        bounds: Mapping[str, Bound],
        suspicions: Suspicions,
        note: Note,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bounds, self._suspicions, self._note, self._clock = bounds, suspicions, note, clock
        self._windows = OrderedDict[tuple[str, str], _Window]()
        self._calls = OrderedDict[str, _Call]()
        self._hosts = OrderedDict[str, OrderedDict[str, None]]()
        self._looks: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
            "call.started": self._started,
            "call.decided": self._decided,
            "call.ended": self._ended,
            "egress.flow": self._flowed,
            "egress.sending": self._flowed,
            "egress.refused": self._flowed,
            "auth.refused": self._kept_out,
        }

    def hear(self, line: Mapping[str, Any]) -> None:
        if looks := self._looks.get(line["kind"]):
            looks(line)

    def _started(self, line: Mapping[str, Any]) -> None:
        self._calls[line["decision_id"]] = _Call(line["caller"], line["session"], line["tool"])
        if len(self._calls) > MOST_KEYS:
            self._calls.popitem(last=False)

    def _decided(self, line: Mapping[str, Any]) -> None:
        if line["effect"] == "deny" and not _is_ours(line) and (call := self._calls.get(line["decision_id"])):
            self._count("denials", call.caller, call.session, 1)

    def _ended(self, line: Mapping[str, Any]) -> None:
        call = self._calls.pop(line["decision_id"], None)
        if call and line.get("error") == "FileRefused" and call.tool.startswith("file_"):
            self._count("failed_files", call.caller, call.session, 1)

    def _flowed(self, line: Mapping[str, Any]) -> None:
        if line.get("caller"):
            self._flow(line, str(line["caller"]), str(line["session"]))

    def _kept_out(self, line: Mapping[str, Any]) -> None:
        self._count("failed_logins", str(line.get("address")), "", 1)

    async def keep(self, awake: Awake, hold: Hold) -> None:
        """Until cancelled: what is frozen stands still, whatever wakes it before a person releases it.

        A call that was judged before may start only now, in a session that it made meanwhile.
        """
        while True:
            up = awake()
            pause = LOOK_EVERY_S if up else ASLEEP_S
            for owner, session in up:
                try:
                    if self._suspicions.freezes(owner, session):
                        await hold(owner, session)
                except Exception:  # its calls are refused all the same
                    log.exception("session %s is frozen, and what runs in it could not be stopped", session)
                    pause = AGAIN_S
            await anyio.sleep(pause)

    # --- counting ----------------------------------------------------------------------------------------------------

    def _flow(self, line: Mapping[str, Any], caller: str, session: str) -> None:
        if sent := line.get("bytes_up", 0) - line.get("told_up", 0):
            self._count("sent_mb", caller, session, float(sent) / MB)
        hosts = self._hosts.setdefault(caller, OrderedDict())
        _bound(self._hosts)
        host = str(line.get("host"))
        if host not in hosts:
            self._count("new_hosts", caller, session, 1)
        _remember(hosts, host, None)

    def _count(self, kind: str, who: str, session: str, amount: float) -> None:
        bound = self._bounds[kind]
        if not bound.count:
            return
        window = self._windows.setdefault((kind, who), _Window())
        _bound(self._windows)
        now = self._clock()
        total = window.add(amount, now, bound.window_s)
        if total >= bound.count and now - window.told.get(session, -1e9) >= bound.window_s:
            if len(window.told) >= MOST_KEYS:
                window.told.clear()
            window.told[session] = now
            self._tell(kind, who, session, total, bound)

    def _tell(self, kind: str, who: str, session: str, total: float, bound: Bound) -> None:
        named = {"caller": who, "session": session} if session else {"address": who}
        facts = {**named, "count": round(total, 1), "window_s": bound.window_s, "effect": bound.effect}
        if session and bound.effect != "record":
            why = f"{total:.0f} {kind.replace('_', ' ')} in {bound.window_s:.0f} s"
            self._suspicions.begin(who, session, Suspicion(bound.effect, why))
        log.warning("unusual: %s", ", ".join(f"{name} {value}" for name, value in {"what": kind, **facts}.items()))
        self._note(f"anomaly.{kind}", facts)


def _is_ours(line: Mapping[str, Any]) -> bool:
    """A frozen session is denied each call: that is no news."""
    return any(str(rule.get("id", "")).startswith("anomaly.") for rule in line.get("rules") or ())


def _remember[K, V](known: OrderedDict[K, V], key: K, value: V) -> None:
    known[key] = value
    known.move_to_end(key)
    _bound(known)


def _bound[K, V](known: OrderedDict[K, V]) -> None:
    while len(known) > MOST_KEYS:
        known.popitem(last=False)
