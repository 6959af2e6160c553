"""What only a person may allow: the question is written down, bound to the exact call; a yes is good for that call alone."""

import hashlib
import json
import logging
import secrets
import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import anyio.to_thread

from policy.question import Question, RunCommand
from policy.verdict import Ask

type State = Literal["pending", "allowed", "denied", "used"]

log = logging.getLogger("sandgate")


class NoSuchApproval(Exception):
    """There is no open question of that id: it was answered, it ran out, or it never was."""


@dataclass(frozen=True, slots=True)
class Approval:
    """A question for a person. Times in seconds since 1970. `shown` is the whole call as it would run."""

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


class Rows(Protocol):
    """Where they are kept. Each call blocks, and raises OSError where it cannot be kept."""

    def put(self, row: Mapping[str, Any]) -> Mapping[str, Any]: ...

    def take(self, bound: str, now: float) -> Mapping[str, Any] | None: ...

    def answer(self, approval: str, state: str, by: str, now: float, ends: float | None) -> bool: ...

    def live(self, now: float) -> list[Mapping[str, Any]]: ...


class NobodyToAsk:
    """Every ask is a no."""

    async def given(self, question: Question, ask: Ask) -> Approval | None:
        del question, ask
        return None

    wanted = given

    async def answer(self, approval: str, *, yes: bool, by: str) -> None:
        del yes, by
        raise NoSuchApproval(f"no question {approval} waits for an answer")


class Approvals:
    """`pending_s`: how long a question waits, and how long a yes then waits for its call."""

    def __init__(self, rows: Rows, pending_s: float, clock: Callable[[], float] = time.time) -> None:
        self._rows, self._pending_s, self._clock = rows, pending_s, clock

    async def given(self, question: Question, ask: Ask) -> Approval | None:
        """A person's yes to exactly this call under this policy; used up where it is good for once."""
        return await self._kept(lambda: self._rows.take(_bound(question, ask), self._clock()))

    async def wanted(self, question: Question, ask: Ask) -> Approval | None:
        """The question as it was written down, or as it stood already; None where it could not be: then nobody says yes."""
        now = self._clock()
        row = {
            "id": f"a-{secrets.token_hex(4)}",
            "bound": _bound(question, ask),
            "caller": question.caller.id,
            "tool": question.tool,
            "session": question.session.name,
            "shown": _shown(question),
            "reasons": json.dumps([rule.reason for rule in ask.rules]),
            "asked": now,
            "ends": now + self._pending_s,
            "state": "pending",
            "again": 0,
            "answered_by": "",
        }
        return await self._kept(lambda: self._rows.put(row))

    async def answer(self, approval: str, *, yes: bool, by: str) -> None:
        """For once. Raises NoSuchApproval."""
        await anyio.to_thread.run_sync(lambda: self.answer_now(approval, yes=yes, by=by))

    def answer_now(self, approval: str, *, yes: bool, by: str, for_s: float | None = None) -> None:
        """`for_s`: the same call needs no further answer for so long. Raises NoSuchApproval, OSError."""
        now = self._clock()
        ends = now + for_s if yes and for_s is not None else None
        if not self._rows.answer(approval, "allowed" if yes else "denied", by, now, ends):
            raise NoSuchApproval(
                f"no question {approval} waits for an answer; `sandgate approvals list` shows what does"
            )

    def live(self) -> list[Approval]:
        return [_approval(row) for row in self._rows.live(self._clock())]

    async def _kept(self, work: Callable[[], Mapping[str, Any] | None]) -> Approval | None:
        try:
            row = await anyio.to_thread.run_sync(work)
        except OSError as exc:
            log.warning("approvals cannot be read or kept, so nothing is approved: %s", exc)
            return None
        return None if row is None else _approval(row)


def _bound(question: Question, ask: Ask) -> str:
    """Caller, session, tool, text, cwd, input, facts and the policy that asked: another of any is another call.

    That a session was named is no difference: which one it is is among the facts.
    """
    plain = replace(question, call={name: value for name, value in question.call.items() if name != "session"})
    return hashlib.sha256(f"{plain.digest()} {ask.revision}".encode()).hexdigest()


def _shown(question: Question) -> str:
    act = question.act
    if not isinstance(act, RunCommand):
        return json.dumps(dict(question.call), ensure_ascii=False, sort_keys=True)
    text = question.call.get("command")
    shown = text if isinstance(text, str) else shlex.join(act.argv)
    return f"{shown}\n(in {act.cwd}{f', with {len(act.stdin)} bytes of input' if act.stdin else ''})"


def _approval(row: Mapping[str, Any]) -> Approval:
    fields = ("id", "caller", "tool", "session", "shown", "asked", "ends", "state", "answered_by")
    return Approval(**{name: row[name] for name in fields}, reasons=tuple(json.loads(row["reasons"])))
