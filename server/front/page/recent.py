"""What happened of late, as the audit tells it: an index of its newest decisions and flows, bounded, kept up as it grows.

It reads the file's end and goes on from there, so it also knows what other servers on the same audit did, and what this
one did before it was restarted. Nothing is read while nobody looks.
"""

import json
import os
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.lowlevel
import anyio.to_thread

from server.record.segments import Segments

MOST_READ: Final = 4 << 20  # bytes at a time, some 10,000 lines; of what came since, the newest
MOST_DECISIONS: Final = 2_000
MOST_KEPT: Final = 16 << 20  # bytes of their lines, as they are written; a value takes some four times as much
MOST_FLOWS: Final = 5_000
MOST_LINES: Final = 100  # of one decision
TAKEN_AT_ONCE: Final = 500  # lines
MOST_NOTABLE: Final = 100
# What an operator would want to be shown without having looked for it.
NOTABLE: Final = (
    "anomaly.",
    "auth.refused",
    "limit.refused",
    "server.weakened",
    "server.reload_failed",
    "server.recovered",
)

type Line = Mapping[str, Any]
type Sized = tuple[Line, int]  # with the bytes that it has in the file


@dataclass(slots=True)
class Flow:
    """One request that left, or `count` alike that were refused. `time` in seconds since 1970; bytes are of bodies."""

    time: float
    host: str
    port: int
    what: str
    up: int
    down: int
    refused: bool
    count: int
    why: str  # the status, or rule and reason
    failed: bool
    decisions: tuple[str, ...]
    owner: str = ""  # "" where nobody knows any more
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Decision:
    """One call, from its first line of the audit on. `effect` is "" where it was refused before it was judged."""

    id: str
    time: float
    caller: str
    tool: str
    session: str
    arguments: Mapping[str, Any]
    effect: str = ""
    rules: list[Mapping[str, str]] = field(default_factory=list)
    commands: list[list[str | None]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    revision: str = ""
    approved_by: str = ""
    outcome: str = ""
    told: Mapping[str, Any] = field(default_factory=dict)  # of how it ended
    flows: list[Flow] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    more: int = 0  # lines beyond MOST_LINES
    size: int = 0  # bytes of those that are kept

    @property
    def what(self) -> str:
        """The call in a line or a few."""
        for name in ("command", "path", "pattern", "host", "job", "name"):
            if isinstance(given := self.arguments.get(name), str):
                return given
            if isinstance(given, Mapping):  # a long text is kept by its beginning
                return f"{given.get('begins', '')}…"
        argv = self.arguments.get("argv")
        return " ".join(map(str, argv)) if isinstance(argv, list) else ""


class Tail:
    """The end of a file that others append to, followed over its rotation. Blocks; for one thread at a time."""

    def __init__(self, path: Path, most: int = MOST_READ) -> None:
        self._path, self._most = path, most
        self._file, self._at, self._begun = -1, 0, False

    def read(self) -> list[Sized]:
        """Lines that came since the last time; of a file that was not looked at for long, the newest."""
        found = self._rest() if self._begun else [*self._before(), *self._rest()]
        self._begun = True
        if self._is_replaced():
            found += self._rest()  # what came until it was closed
            self.close()
            found += self._rest()
        return found

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file, self._at = -1, 0

    def _before(self) -> list[Sized]:
        """The end of the file that was closed last: the one that is written may have only just begun."""
        closed = Segments(self._path).closed()
        if not closed:
            return []
        with closed[-1].open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - self._most))
            return list(_lines(file.read().split(b"\n")))

    def _rest(self) -> list[Sized]:
        if self._file < 0:
            try:
                self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                return []
        size = os.fstat(self._file).st_size
        jumped = size - self._at > self._most
        if jumped:
            self._at = size - self._most
        data = os.pread(self._file, size - self._at, self._at)
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        pieces = whole.split(b"\n")
        return list(_lines(pieces[1:] if jumped else pieces))

    def _is_replaced(self) -> bool:
        if self._file < 0:
            return False
        try:
            there, ours = self._path.stat(), os.fstat(self._file)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino)


def _lines(pieces: Iterable[bytes]) -> Iterable[Sized]:
    """What is no line of the audit is passed over: to find it is the work of `sandgate audit verify`."""
    for piece in pieces:
        with suppress(ValueError):
            if isinstance(line := json.loads(piece), dict) and isinstance(line.get("kind"), str):
                yield line, len(piece)


class Recent:
    """Decisions by their ids, flows, and what is notable; the newest of each last."""

    def __init__(
        self, tail: Tail, most_decisions: int = MOST_DECISIONS, most_flows: int = MOST_FLOWS, most_kept: int = MOST_KEPT
    ) -> None:
        self._tail, self._most, self._most_kept, self._kept = tail, most_decisions, most_kept, 0
        self._turn = anyio.Lock()
        self.version = 0  # another whenever there is news
        self.decisions: OrderedDict[str, Decision] = OrderedDict()
        self.flows: deque[Flow] = deque(maxlen=most_flows)
        self.notable: deque[Line] = deque(maxlen=MOST_NOTABLE)

    async def catch_up(self) -> None:
        """Read apart in a thread, taken in here, so that whoever looks never sees half of a line."""
        async with self._turn:
            for number, (line, size) in enumerate(await anyio.to_thread.run_sync(self._tail.read)):
                self.take(line, size)
                if number % TAKEN_AT_ONCE == TAKEN_AT_ONCE - 1:
                    await anyio.lowlevel.checkpoint()  # calls go on meanwhile

    def take(self, line: Line, size: int = 0) -> None:
        self.version += 1
        kind, decision = line["kind"], self.decisions.get(str(line.get("decision_id") or ""))
        if kind.startswith(NOTABLE):
            self.notable.append(line)
        if kind == "call.started":
            decision = self._begin(line)
        if kind in ("egress.flow", "egress.refused"):
            self._take_flow(line, size)
        elif decision is not None:
            self._add_line(decision, line, size)
            _take_step(decision, kind, line)
        while len(self.decisions) > self._most or self._kept > self._most_kept:
            self._kept -= self.decisions.popitem(last=False)[1].size

    def _begin(self, line: Line) -> Decision:
        given = line.get("arguments")
        decision = Decision(
            id=str(line.get("decision_id")),
            time=seconds(line.get("time")),
            caller=str(line.get("caller", "")),
            tool=str(line.get("tool", "")),
            session=str(line.get("session", "")),
            arguments=given if isinstance(given, Mapping) else {},
        )
        if (before := self.decisions.pop(decision.id, None)) is not None:
            self._kept -= before.size
        self.decisions[decision.id] = decision
        return decision

    def _take_flow(self, line: Line, size: int) -> None:
        named = (line.get("decision_id"), *line.get("decision_ids", ()))
        ids = tuple(str(each) for each in named if each)
        caused = [found for each in ids if (found := self.decisions.get(each))]
        self.flows.append(flow := _flow(line, ids))
        for decision in caused:
            self._add_line(decision, line, size)
            if len(decision.flows) < MOST_LINES:
                decision.flows.append(flow)

    def _add_line(self, decision: Decision, line: Line, size: int) -> None:
        if len(decision.lines) >= MOST_LINES:
            decision.more += 1
            return
        decision.lines.append(line)
        decision.size += size
        self._kept += size


def _take_step(decision: Decision, kind: str, line: Line) -> None:
    match kind:
        case "call.decided":
            decision.effect = str(line.get("effect", ""))
            known = {rule.get("id") for rule in decision.rules}
            decision.rules += [rule for rule in line.get("rules", ()) if rule.get("id") not in known]
            decision.commands, decision.paths = line.get("commands", []), line.get("paths", [])
            decision.revision = str(line.get("revision", ""))
        case "call.approved":
            decision.approved_by = str(line.get("by", ""))
        case "call.ended":
            decision.outcome, decision.told = str(line.get("outcome", "")), line
        case _:
            pass


def _flow(line: Line, ids: tuple[str, ...]) -> Flow:
    refused = line["kind"] == "egress.refused"
    scheme = "" if line.get("scheme") == "https" else f" ({line.get('scheme')})"
    request = f"{line.get('method', '')} {line.get('path', '')}{scheme}"
    notes = [note for note in ("learnt", "uninterpreted") if line.get(note)]
    notes += [f"secret {name}" for name in line.get("secrets", ())]
    notes += ["one of these calls"] if line.get("attribution") == "any_of" and len(ids) > 1 else []
    return Flow(
        time=seconds(line.get("time")),
        host=str(line.get("host", "")),
        port=_number(line.get("port")),
        what=str(line.get("method", "")) if refused else request.strip(),
        up=_number(line.get("bytes_up")),
        down=_number(line.get("bytes_down")),
        refused=refused,
        count=_number(line.get("count")) or 1,
        why=f"{line.get('reason', '')} [{line.get('rule', '')}]" if refused else str(line.get("status", "")),
        failed=_number(line.get("status")) >= HTTPStatus.BAD_REQUEST,
        decisions=ids,
        owner=str(line.get("caller") or ""),
        notes=tuple(notes),
    )


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def seconds(text: Any) -> float:
    """A time as the audit writes it, in seconds since 1970; 0 for what is none."""
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC).timestamp()
    except ValueError:
        return 0.0
