"""A session under suspicion: until a person releases it, each of its calls is asked about, or none is answered."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from policy.question import Question
from policy.verdict import Allow, Ask, Deny, Rule, Verdict

LOOK_AGAIN_S: Final = 5.0  # at a session of which nothing was known
MOST_KNOWN: Final = 10_000
UNTOUCHED: Final = frozenset({"session_list", "job_output", "policy_check", "session_close", "job_stop"})  # tell or end

log = logging.getLogger("sandgate")


class Records(Protocol):
    def put(self, owner: str, name: str, effect: str, why: str, since: float) -> None: ...

    def all(self, **equal: str) -> list[Mapping[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class Suspicion:
    """effect: ask, or freeze."""

    effect: str
    why: str


class Suspicions:
    """Kept in the database, so that they outlive a server and the command line may end them."""

    def __init__(self, records: Records, clock: Callable[[], float] = time.time) -> None:
        self._records, self._clock = records, clock
        self._held: dict[tuple[str, str], Suspicion] = {}
        self._looked: dict[tuple[str, str], float] = {}

    def begin(self, owner: str, name: str, suspicion: Suspicion) -> None:
        self._held[owner, name] = suspicion
        try:
            self._records.put(owner, name, suspicion.effect, suspicion.why, self._clock())
        except OSError:
            log.exception("the suspicion of session %s is not written down: it ends with this server", name)

    def of(self, owner: str, name: str) -> Suspicion | None:
        key, now = (owner, name), self._clock()
        if key in self._held or now - self._looked.get(key, 0.0) >= LOOK_AGAIN_S:
            if len(self._looked) >= MOST_KNOWN:
                self._looked.clear()
            self._looked[key] = now
            self._look(key)
        return self._held.get(key)

    def freezes(self, owner: str, name: str) -> bool:
        """Of what is known here already, and looked at again only then: cheap enough to ask of every session."""
        known = self._held.get((owner, name))
        return known is not None and known.effect == "freeze" and self.of(owner, name) == known

    def _look(self, key: tuple[str, str]) -> None:
        """Where the database cannot be read, what was known holds."""
        try:
            rows = self._records.all(owner=key[0], name=key[1])
        except OSError:
            return
        if rows:
            self._held[key] = Suspicion(str(rows[0]["effect"]), str(rows[0]["why"]))
        else:
            self._held.pop(key, None)


class Decides(Protocol):
    async def decide(self, question: Question) -> Verdict: ...

    async def decide_request(self, question: Question) -> Verdict: ...


@dataclass(frozen=True, slots=True)
class WaryJudge:
    """The judge, and above it what is held against a session: never more than the judge allows."""

    judge: Decides
    suspicions: Suspicions

    async def decide(self, question: Question) -> Verdict:
        verdict = await self.judge.decide(question)
        if question.tool in UNTOUCHED:
            return verdict
        session = question.session.name
        held = self.suspicions.of(question.caller.id, session)
        if held is None or isinstance(verdict, Deny):
            return verdict
        release = f"A person can release it with: sandgate sessions release {session}"
        if held.effect == "freeze":
            frozen = f"the session {session} is frozen, because of {held.why}"
            return Deny((Rule("anomaly.frozen", "deny", frozen, release),), verdict.revision)
        if isinstance(verdict, Allow):
            asked = f"every call of session {session} is asked about, because of {held.why}"
            return Ask((Rule("anomaly.ask", "ask", asked, release),), verdict, verdict.revision)
        return verdict

    async def decide_request(self, question: Question) -> Verdict:
        return await self.judge.decide_request(question)
