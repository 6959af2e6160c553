"""What the gate asks while it holds a request: a host that a person has to allow. Silence, doubt and failure are a no.

A yes for once lets that one request pass; one for the session or a time holds for the host and port, until it ends or is
taken back: then open connections are cut as well.
"""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol, assert_never

import anyio
import anyio.abc
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from policy.held import Held
from policy.question import CallerFacts, Question, SessionFacts, UseHost
from policy.verdict import Allow, Ask, Deny, Verdict
from server.flows import Late, caused, decisions_of
from server.judge.approvals import Approval
from server.judge.decision import HostList
from server.note import Note
from server.sandbox.session import Session

LOOK_EVERY_S = 0.25  # at the answers, which another process may write down: at all of them at once
MOST_WAITING = 256  # questions of all sandboxes; the gate bounds each one's
LONGEST = 500  # characters of a path in the audit


log = logging.getLogger("sandgate")


class People(Protocol):
    async def given(self, question: Question, ask: Ask, held: Held) -> Approval | None: ...

    async def wanted(self, question: Question, ask: Ask, held: Held) -> Approval | None: ...

    async def find(self, approval: str) -> Approval | None: ...

    def live(self) -> list[Approval]: ...


class Gate(Protocol):
    def answer(self, question: str, answer: Mapping[str, Any]) -> None: ...

    def cut(self, session: str, host: str, port: int) -> None: ...


class Judge(Protocol):
    @property
    def looks_at_requests(self) -> bool: ...

    async def decide_request(self, question: Question) -> Verdict: ...

    async def hosts(self, question: Question) -> HostList | None: ...


async def hosts_of(judge: Judge, roles: tuple[str, ...]) -> HostList | None:
    """What of the operator's list callers of these roles have; None where the policy does not answer."""
    return await judge.hosts(Question(CallerFacts("", roles), "network", SessionFacts("", ""), UseHost("", 0), {}))


class HostQuestions:
    """`hold_s`: how long a request is held; its question stays for as long as any."""

    def __init__(self, people: People, late: Late, write: Note, hold_s: float) -> None:
        self._people, self._late, self._write, self._hold_s = people, late, write, hold_s
        self._waiting: dict[str, anyio.Event] = {}  # by question: set once it was answered, or ran out
        self._granted: dict[tuple[str, str, int], set[str]] = {}  # by sandbox, host and port: which yes
        self._something = anyio.Event()  # to look for
        ends: tuple[MemoryObjectSendStream[Mapping[str, Any]], MemoryObjectReceiveStream[Mapping[str, Any]]]
        ends = anyio.create_memory_object_stream(MOST_WAITING)
        self._incoming, self._outgoing = ends

    def asked(self, event: Mapping[str, Any]) -> None:
        """From the gate's events: it is answered by `keep`. Where too many wait, the gate's own time ends it with a no."""
        try:
            self._incoming.send_nowait(event)
        except (anyio.WouldBlock, anyio.BrokenResourceError, anyio.ClosedResourceError):
            log.warning("the gate asks about more hosts than anybody answers: %s is refused", event["host"])

    async def keep(self, gate: Gate, judge: Judge) -> None:
        """Answer what comes, and watch what was answered for longer, until cancelled."""
        async with self._incoming, self._outgoing, anyio.create_task_group() as tasks:
            tasks.start_soon(self._look, gate)
            async for event in self._outgoing:
                tasks.start_soon(self._answer, gate, judge, event)

    async def _answer(self, gate: Gate, judge: Judge, event: Mapping[str, Any]) -> None:
        try:
            answer = await self._decide(judge, event)
        except Exception:
            log.exception("a host could not be asked about, so it is refused")
            answer = _no("egress.error", "The question whether this may pass could not be put to anybody.")
        gate.answer(str(event["ask"]), answer)

    async def _decide(self, judge: Judge, event: Mapping[str, Any]) -> Mapping[str, Any]:
        session = self._late.of(event)
        if session is None:
            return _no("egress.error", "The sandbox belongs to no session.")
        whole = UseHost(str(event["host"]), int(event["port"]), str(event["method"]), str(event["path"]))
        question = _question(session, whole)
        match await judge.decide_request(question):
            case Allow():
                return {"let": "alike"}
            case Deny() as deny:
                return _denied(deny)
            case Ask() as ask:
                # where rules tell requests apart, so does the yes
                about = question if judge.looks_at_requests else _question(session, UseHost(whole.host, whole.port))
                again = "alike" if judge.looks_at_requests else "host"
                answer = await self._asked(session, about, ask, event, again)
                # a person takes a while: a policy that was changed meanwhile may say no
                now = await judge.decide_request(question) if answer["let"] else ask
                return _denied(now) if isinstance(now, Deny) else answer
            case other:
                assert_never(other)

    async def _asked(
        self, session: Session, question: Question, ask: Ask, event: Mapping[str, Any], again: str
    ) -> Mapping[str, Any]:
        yes, approval = await self._person(session, question, ask, event)
        where = (str(event["session"]), str(event["host"]), int(event["port"]))
        if yes is None:
            reason = _unanswered(f"{where[1]}:{where[2]}", approval, self._hold_s)
            return _no("egress.ask", reason, approval.id if approval else "")
        given = {"approval": yes.id, "by": yes.answered_by, "scope": yes.scope}
        self._write("egress.approved", _line(event, session, given))
        if yes.scope == "once":
            return {"let": "once"}
        self._granted.setdefault(where, set()).add(yes.id)
        self._something.set()
        return {"let": again}

    async def _person(
        self, session: Session, question: Question, ask: Ask, event: Mapping[str, Any]
    ) -> tuple[Approval | None, Approval | None]:
        """The yes, and the question where there was one to ask."""
        held = Held(session.id)
        if (yes := await self._people.given(question, ask, held)) is not None:
            return yes, None
        waiting = await self._people.wanted(question, ask, held)
        if waiting is None or waiting.state == "denied":
            return None, waiting
        self._write("egress.asked", _line(event, session, {"approval": waiting.id}))
        for job in session.jobs.values():
            if job.decision_id in decisions_of(event):
                job.ask(waiting)
        answered = self._waiting.setdefault(waiting.id, anyio.Event())
        self._something.set()
        with anyio.move_on_after(self._hold_s):
            await answered.wait()
        yes = await self._people.given(question, ask, held)
        return yes, await self._people.find(waiting.id) or waiting

    async def _look(self, gate: Gate) -> None:
        """Who waits is told of an answer, and a yes that was taken back or is over ends what it let pass."""
        while True:
            if not (self._waiting or self._granted):
                self._something = anyio.Event()
                await self._something.wait()
            await anyio.sleep(LOOK_EVERY_S)
            # Those that were there before the answers are read: what comes meanwhile is not in what was read.
            waited, granted = list(self._waiting), {where: set(yes) for where, yes in self._granted.items()}
            states = await anyio.to_thread.run_sync(self._states)
            for question in [each for each in waited if states.get(each) != "pending"]:
                self._waiting.pop(question).set()
            for where, approvals in granted.items():
                if over := {each for each in approvals if states.get(each) != "allowed"}:
                    gate.cut(*where)
                    self._granted[where] -= over
                    if not self._granted[where]:
                        del self._granted[where]

    def _states(self) -> Mapping[str, str]:
        """Of all that is live; nothing is where that cannot be read, so nobody waits on and no yes lasts."""
        try:
            return {approval.id: approval.state for approval in self._people.live()}
        except OSError as exc:
            log.warning("approvals cannot be read, so no host is allowed by one: %s", exc)
            return {}


def _question(session: Session, act: UseHost) -> Question:
    facts = SessionFacts(session.name, session.spec.environment, session.spec.home, session.spec.workspaces)
    call = {name: value for name, value in asdict(act).items() if value}
    return Question(CallerFacts(session.owner, session.roles), "network", facts, act, call)


def _unanswered(host: str, approval: Approval | None, hold_s: float) -> str:
    if approval is None:
        return f"{host} needs a person's yes, and the question could not be written down."
    if approval.state == "denied":
        return f"A person said no to {host}."
    how = f"`sandgate approvals allow {approval.id}`, with --session or --minutes N for more than one request"
    return f"{host} needs a person's yes, and nobody has answered within {hold_s:g} s. {how}; then try again."


def _denied(deny: Deny) -> Mapping[str, Any]:
    return _no("egress.policy", "; ".join(f"{rule.reason} [{rule.id}] {rule.help}".rstrip() for rule in deny.rules))


def _no(rule: str, reason: str, approval: str = "") -> Mapping[str, Any]:
    return {"let": "", "rule": rule, "reason": reason, "approval": approval}


def _line(event: Mapping[str, Any], session: Session, more: Mapping[str, Any]) -> dict[str, Any]:
    about = {name: event.get(name) for name in ("attribution", "host", "port", "scheme")}
    about |= {name: str(event.get(name, ""))[:LONGEST] for name in ("method", "path")}
    return {**caused(event, session), **about, **more}
