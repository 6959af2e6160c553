"""Requests that the list alone does not decide: held, for a bounded time, until the server has said yes or no."""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from egress.cause import Cause
from egress.destination import Destination, clip
from egress.line import Line
from egress.refusal import TOO_MANY, Let, Refusal, Refused, RuleId, refuse
from egress.session import Session

GRACE_S = 2.0  # beyond the time within which the server is to answer
_LETS = get_args(Let.__value__)
_RULES = get_args(RuleId.__value__)

type Tell = Callable[[Mapping[str, Any]], None]


class BadAnswer(ValueError):
    """What the server answered is no answer to a question of ours."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the server is asked about. path is without its query."""

    destination: Destination
    scheme: str
    method: str
    path: str
    cause: Cause


@dataclass(frozen=True, slots=True)
class Answer:
    """let: how far a yes goes, "" is a no, with its rule and reason."""

    let: Let
    rule: RuleId = "egress.ask"
    reason: str = ""
    approval: str = ""

    @classmethod
    def parse(cls, told: Mapping[str, Any]) -> "Answer":
        if told.get("let") not in _LETS or told.get("rule", "egress.ask") not in _RULES:
            raise BadAnswer("The answer to a question is neither a yes nor a no that the gate knows.")
        reason, approval = (clip(str(told.get(name, "")), 500) for name in ("reason", "approval"))
        return cls(told["let"], told.get("rule", "egress.ask"), reason, approval)


class Asking:
    """`tell` takes a question to the server; its answer comes back to `answered`."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._open: dict[str, asyncio.Future[Answer]] = {}

    def answered(self, number: str, answer: Answer) -> None:
        """An answer that comes too late is none."""
        question = self._open.get(number)
        if question is not None and not question.done():
            question.set_result(answer)

    async def hold(self, session: Session, line: Line, wanted: Wanted) -> Let:
        """How far the yes goes; "" where the list has come to admit it meanwhile. Refused otherwise."""
        target, parts = wanted.destination, (wanted.destination, wanted.method, wanted.path)
        if known := session.known(*parts):
            return known
        limits = session.budget.limits
        if session.holding >= limits.held:
            reason = (
                f"{target} needs a yes, and {limits.held} requests of this session wait for one already; try again."
            )
            raise Refused(Refusal("egress.limit", reason, target.host, target.port, TOO_MANY))
        answer = await self._answer(session, line, wanted)
        if line.is_closing():
            raise refuse(
                "egress.error", "The connection was closed while its request was held.", target.host, target.port
            )
        if not session.must_ask(*parts):
            return ""
        if not answer.let:
            raise Refused(
                Refusal(
                    answer.rule,
                    answer.reason or f"{target} was not allowed.",
                    target.host,
                    target.port,
                    approval=answer.approval,
                )
            )
        session.keep(answer.let, *parts)
        return answer.let

    async def _answer(self, session: Session, line: Line, wanted: Wanted) -> Answer:
        number, target = secrets.token_hex(8), wanted.destination
        question: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._open[number] = question
        session.holding += 1
        line.waits()
        try:
            self._tell(
                {
                    "event": "ask",
                    "ask": number,
                    "session": session.name,
                    "decisions": list(wanted.cause.decisions),
                    "attribution": wanted.cause.attribution,
                    "host": target.host,
                    "port": target.port,
                    "scheme": wanted.scheme,
                    "method": wanted.method,  # whole, as they were sent: they are judged
                    "path": wanted.path,
                }
            )
            async with asyncio.timeout(session.budget.limits.hold_s + GRACE_S):
                return await question
        except TimeoutError:
            return Answer("", "egress.error", f"Whether {target} may be reached was not answered in time.")
        finally:
            del self._open[number]
            session.holding -= 1
            line.waited()
