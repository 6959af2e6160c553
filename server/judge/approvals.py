"""What only a person may allow: the question is written down, bound to the exact call; a yes is good for that call alone."""

import hashlib
import json
import logging
import secrets
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Protocol

import anyio.to_thread

from policy.held import Held, HeldFile
from policy.question import Question, RunCommand, UseHost
from policy.verdict import Ask

type State = Literal["pending", "allowed", "denied", "used"]
type Scope = Literal["once", "session", "time"]  # how often a yes is good

SESSION_S: Final = 7 * 86_400.0  # a yes for a session ends with it, and after a week in any case
MOST_SHOWN: Final = 20_000  # characters of what a call brings along; how much more there is, is said
SCOPES: Final[tuple[Scope, ...]] = ("once", "time", "session")  # as the field `again` counts them
_NEVER: Final = -1  # there, while a question waits that may be answered with once only
_NOTHING: Final = Held()

log = logging.getLogger("sandgate")


class NoSuchApproval(Exception):
    """There is no open question of that id: it was answered, it ran out, or it never was."""


class OnceOnly(Exception):
    """A yes for longer was meant for a call that may do something else the next time, by what cannot be held."""


@dataclass(frozen=True, slots=True)
class Approval:
    """A question for a person. Times in seconds since 1970. `shown` is the whole call as it would run.

    once_only: what it obeys cannot all be held, so that no yes to it is good again.
    """

    id: str
    caller: str
    tool: str
    session: str
    shown: str
    reasons: tuple[str, ...]
    asked: float
    ends: float
    state: State
    answered_by: str = ""
    scope: Scope = "once"
    once_only: bool = False


class Rows(Protocol):
    """Where they are kept. Each call blocks, and raises OSError where it cannot be kept."""

    def put(self, row: Mapping[str, Any]) -> Mapping[str, Any]: ...

    def take(self, bound: str, now: float) -> Mapping[str, Any] | None: ...

    def answer(self, approval: str, state: str, by: str, now: float, ends: float | None, again: int = 0) -> bool: ...

    def revoke(self, approval: str, by: str, now: float) -> bool: ...

    def find(self, approval: str, now: float) -> Mapping[str, Any] | None: ...

    def live(self, now: float) -> list[Mapping[str, Any]]: ...


class NobodyToAsk:
    """Every ask is a no."""

    async def given(self, question: Question, ask: Ask, held: Held = _NOTHING) -> Approval | None:
        del question, ask, held
        return None

    wanted = given

    async def answer(self, approval: str, *, yes: bool, by: str, scope: Scope = "once") -> None:
        del yes, by, scope
        raise NoSuchApproval(f"no question {approval} waits for an answer")


class Approvals:
    """`pending_s`: how long a question waits, and how long a yes then waits for its call."""

    def __init__(self, rows: Rows, pending_s: float, clock: Callable[[], float] = time.time) -> None:
        self._rows, self._pending_s, self._clock = rows, pending_s, clock

    async def given(self, question: Question, ask: Ask, held: Held = _NOTHING) -> Approval | None:
        """A person's yes to exactly this call under this policy; used up where it is good for once.

        One that was given although other commands ran is as good where none do.
        """
        states = (held,) if held.disturbed else (held, replace(held, disturbed=True))
        found = (self._rows.take(_bound(question, ask, each), self._clock()) for each in states)
        return await self._kept(lambda: next((row for row in found if row is not None), None))

    async def wanted(self, question: Question, ask: Ask, held: Held = _NOTHING) -> Approval | None:
        """The question as it was written down, or as it stood already; None where it could not be: then nobody says yes."""
        now = self._clock()
        row = {
            "id": f"a-{secrets.token_hex(4)}",
            "bound": _bound(question, ask, held),
            "caller": question.caller.id,
            "tool": question.tool,
            "session": question.session.name,
            "shown": _shown(question, ask, held),
            "reasons": json.dumps([rule.reason for rule in ask.rules]),
            "asked": now,
            "ends": now + self._pending_s,
            "state": "pending",
            "again": _NEVER if held.loose else 0,
            "answered_by": "",
        }
        return await self._kept(lambda: self._rows.put(row))

    async def answer(self, approval: str, *, yes: bool, by: str, scope: Scope = "once") -> None:
        """Once, or as often as the session makes that call. Raises NoSuchApproval."""
        await anyio.to_thread.run_sync(lambda: self.answer_now(approval, yes=yes, by=by, scope=scope))

    def answer_now(
        self, approval: str, *, yes: bool, by: str, for_s: float | None = None, scope: Scope = "once"
    ) -> None:
        """`for_s`: the same call needs no further answer for so long, which is the scope `time`. Raises NoSuchApproval,
        OnceOnly, OSError."""
        now, often = self._clock(), scope if for_s is None else "time"
        asked = self._rows.find(approval, now) if yes and often != "once" else None
        if asked and asked["again"] == _NEVER:
            raise OnceOnly(
                f"{approval} can be allowed once at a time only: what it obeys may change between two calls, as its text says"
            )
        lasts = {"once": None, "time": for_s, "session": SESSION_S}[often] if yes else None
        ends = None if lasts is None else now + lasts
        again = SCOPES.index(often) if ends else 0
        if not self._rows.answer(approval, "allowed" if yes else "denied", by, now, ends, again):
            raise NoSuchApproval(
                f"no question {approval} waits for an answer; `sandgate approvals list` shows what does"
            )

    def revoke(self, approval: str, *, by: str) -> None:
        """A yes that is not used up is a no from now on. Raises NoSuchApproval, OSError."""
        if not self._rows.revoke(approval, by, self._clock()):
            raise NoSuchApproval(
                f"no yes of the id {approval} is in force; `sandgate approvals list` shows those that are"
            )

    async def find(self, approval: str) -> Approval | None:
        """As it stands now; None where it ran out, or was never asked."""
        return await self._kept(lambda: self._rows.find(approval, self._clock()))

    def live(self) -> list[Approval]:
        return [_approval(row) for row in self._rows.live(self._clock())]

    async def _kept(self, work: Callable[[], Mapping[str, Any] | None]) -> Approval | None:
        try:
            row = await anyio.to_thread.run_sync(work)
        except OSError as exc:
            log.warning("approvals cannot be read or kept, so nothing is approved: %s", exc)
            return None
        return None if row is None else _approval(row)


def _bound(question: Question, ask: Ask, held: Held) -> str:
    """Caller, session, tool, text, cwd, input, facts, the policy that asked, the files: another of any is another call.

    That a session was named is no difference: which one it is is among the facts.
    """
    plain = replace(question, call={name: value for name, value in question.call.items() if name != "session"})
    beside = {
        "session": held.session,
        "files": [[file.path, file.size, file.sha256] for file in held.files],
        "disturbed": held.disturbed,
        "shows": held.shows,
    }
    return hashlib.sha256(f"{plain.digest()} {ask.revision} {json.dumps(beside)}".encode()).hexdigest()


def _shown(question: Question, ask: Ask, held: Held) -> str:
    act = question.act
    if isinstance(act, UseHost):
        what = f"{act.method} {act.path} at" if act.method else "requests to"
        return f"send {what} {act.host}:{act.port}"
    if not isinstance(act, RunCommand):
        call = json.dumps(dict(question.call), ensure_ascii=False, sort_keys=True)
        return f"{call}\n{_most_of(held.shows)}" if held.shows else call
    text = question.call.get("command")
    written = text if isinstance(text, str) else shlex.join(act.argv)
    shown = [_how_it_runs(act, ask), *_files_shown(held), written]
    if act.stdin:
        shown.append(f"with this input:\n{_most_of(act.stdin.decode('utf-8', 'replace'))}")
    return "\n".join(shown)


def _how_it_runs(act: RunCommand, ask: Ask) -> str:
    """First, so that nothing that an agent wrote passes for it. In the background a command has no deadline of its own, and
    an open input."""
    bounds = [bound for bound in (None if act.background else act.timeout_s, ask.granted.limits.timeout_s) if bound]
    lasts = f"for {min(bounds):g} s at most" if bounds else "for as long as its session lasts"
    to_come = "with input as its agent sends it" if act.background else "without input"
    given = f"with {len(act.stdin)} bytes of input" if act.stdin else to_come
    return f"(in {act.cwd}{', in the background' if act.background else ''}, {lasts}, {given})"


def _files_shown(held: Held) -> Iterator[str]:
    if held.files:
        yield f"(good only while these files stay as they are: {', '.join(map(_file_shown, held.files))})"
    for sentence in held.loose:
        yield f"(good for once only: {sentence})"
    if held.disturbed:
        yield "(other commands run in this session now, and can change its files at any moment)"


def _file_shown(file: HeldFile) -> str:
    if file.is_folder:
        return f"{file.path} with all in it"
    part = "" if file.hashed == file.size else f" (the first {file.hashed} of {file.size} bytes)"
    return f"{file.path}{part}"


def _most_of(text: str) -> str:
    left = len(text) - MOST_SHOWN
    return f"{text[:MOST_SHOWN]}\n[{left} characters more, not shown]" if left > 0 else text


def _approval(row: Mapping[str, Any]) -> Approval:
    fields = ("id", "caller", "tool", "session", "shown", "asked", "ends", "state", "answered_by")
    told = {name: row[name] for name in fields}
    reasons, again = tuple(json.loads(row["reasons"])), row["again"]
    return Approval(**told, reasons=reasons, scope=SCOPES[max(again, 0)], once_only=again == _NEVER)
