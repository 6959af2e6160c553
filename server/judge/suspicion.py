"""A session under suspicion: until a person releases it, each of its calls is asked about, or none is answered.

The same holds for each session that its caller opens after that: the agent that is stopped would go on in the next one.
"""

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from policy.question import Question
from policy.verdict import Allow, Ask, Deny, Rule, Verdict

LOOK_AGAIN_S: Final = 5.0  # at a caller of whom nothing was known
MOST_KNOWN: Final = 10_000
UNTOUCHED: Final = frozenset({"session_list", "job_output", "policy_check", "session_close", "job_stop"})  # tell or end

log = logging.getLogger("sandgate")


class Records(Protocol):
    def put(self, owner: str, name: str, effect: str, why: str, since: float) -> None: ...

    def all(self, **equal: str) -> list[Mapping[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class Suspicion:
    """effect: ask, or freeze. since: seconds since 1970."""

    effect: str
    why: str
    since: float = 0.0


class Suspicions:
    """Kept in the database, so that they outlive a server and the command line may end them."""

    def __init__(self, records: Records, clock: Callable[[], float] = time.time) -> None:
        self._records, self._clock = records, clock
        self._held: dict[str, dict[str, Suspicion]] = {}  # owner -> session
        self._unwritten: dict[str, dict[str, Suspicion]] = {}  # of those, what the database did not take
        self._looked: dict[str, float] = {}

    def begin(self, owner: str, name: str, suspicion: Suspicion) -> None:
        suspicion = replace(suspicion, since=self._clock())
        self._held.setdefault(owner, {})[name] = suspicion
        try:
            self._records.put(owner, name, suspicion.effect, suspicion.why, suspicion.since)
        except OSError:
            self._unwritten.setdefault(owner, {})[name] = suspicion
            log.exception("the suspicion of session %s is not written down: it ends with this server", name)

    def of(self, owner: str, name: str) -> Suspicion | None:
        return self._of(owner).get(name)

    def over(self, owner: str, opened: float) -> tuple[str, Suspicion] | None:
        """What a session opened since then stands under too, with the name of the one that it began in; a freeze goes
        before an ask. opened: seconds since 1970, infinite for one that is yet to be: then the database is looked at."""
        known = self._of(owner, now=opened == math.inf)
        before = [(name, held) for name, held in known.items() if held.since < opened]
        return min(before, key=lambda each: each[1].effect != "freeze", default=None)

    def freezes(self, owner: str, name: str) -> bool:
        """Of what is known here already, and looked at again only then: cheap enough to ask of every session."""
        known = self._held.get(owner, {}).get(name)
        return known is not None and known.effect == "freeze" and self.of(owner, name) == known

    def _of(self, owner: str, *, now: bool = False) -> Mapping[str, Suspicion]:
        """What is known is looked at again each time, so that a release holds at once."""
        if now or owner in self._held or self._clock() - self._looked.get(owner, 0.0) >= LOOK_AGAIN_S:
            if len(self._looked) >= MOST_KNOWN:
                self._looked.clear()
            self._looked[owner] = self._clock()
            self._look(owner)
        return self._held.get(owner, {})

    def _look(self, owner: str) -> None:
        """Where the database cannot be read, what was known holds."""
        try:
            rows = self._records.all(owner=owner)
        except OSError:
            return
        known = {**self._unwritten.get(owner, {}), **{str(row["name"]): _suspicion(row) for row in rows}}
        if known:
            self._held[owner] = known
        else:
            self._held.pop(owner, None)


def _suspicion(row: Mapping[str, Any]) -> Suspicion:
    return Suspicion(str(row["effect"]), str(row["why"]), float(row["since"]))


class Decides(Protocol):
    async def decide(self, question: Question) -> Verdict: ...

    async def decide_request(self, question: Question) -> Verdict: ...


@dataclass(frozen=True, slots=True)
class WaryJudge:
    """The judge, and above it what is held against a session: never more than the judge allows.

    opened: when the session of that owner and name was, in seconds since 1970; infinite where there is none yet.
    """

    judge: Decides
    suspicions: Suspicions
    opened: Callable[[str, str], float]

    async def decide(self, question: Question) -> Verdict:
        verdict = await self.judge.decide(question)
        if question.tool in UNTOUCHED or isinstance(verdict, Deny):
            return verdict
        caller, session = question.caller.id, question.session.name
        if (held := self.suspicions.of(caller, session)) is not None:
            frozen, asked = f"the session {session} is frozen", f"every call of session {session} is asked about"
            return _held_back(verdict, session, held, frozen, asked)
        if (over := self.suspicions.over(caller, self.opened(caller, session))) is not None:
            return _held_back(verdict, *over, *_later(over[0]))
        return verdict

    async def decide_request(self, question: Question) -> Verdict:
        return await self.judge.decide_request(question)


def _later(session: str) -> tuple[str, str]:
    return (
        f"no new session is opened for you: your session {session} is frozen",
        f"every call of your sessions later than {session} is asked about, as those of that one are",
    )


def _held_back(verdict: Allow | Ask, session: str, held: Suspicion, frozen: str, asked: str) -> Verdict:
    because, release = f"because of {held.why}", f"A person can release it with: sandgate sessions release {session}"
    if held.effect == "freeze":
        return Deny((Rule("anomaly.frozen", "deny", f"{frozen}, {because}", release),), verdict.revision)
    if isinstance(verdict, Allow):
        return Ask((Rule("anomaly.ask", "ask", f"{asked}, {because}", release),), verdict, verdict.revision)
    return verdict
