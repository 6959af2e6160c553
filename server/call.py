"""The one path. Every tool call goes through `Gateway`, top to bottom, and there is no other.

Three doors, the same steps: what runs (`run`), what touches a file (`use_file`), what is about a session itself
(`use_session`). Each is audited before anything else, admitted, understood, judged, cleared; only a Permit gets further.
"""

from collections.abc import AsyncGenerator, Awaitable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import anyio

from policy.held import MOST_BYTES, Held, held_to, named_files
from policy.question import Op, Question, RunCommand
from policy.verdict import Allow, Ask, Denied, Deny, Permit, Verdict, permit, stricter
from server.asks import AnyAsk, Caller, FileAsk, Ran, RunAsk, SessionAsk, Target, never
from server.following import followed, outcome, record_end, rest, unseen
from server.judge.approvals import NobodyToAsk
from server.parts import (
    AsTheyAre,
    Audit,
    Environments,
    Guard,
    Judge,
    Limits,
    NobodyLooks,
    NothingToGuard,
    People,
    Progress,
    Record,
    Steps,
)
from server.questions import Questions
from server.sandbox.sandbox import FileRefused, SandboxSpec
from server.sandbox.session import Session
from server.sandbox.sessions import Sessions

USE_EXEC = 'use exec, with the program and its arguments: exec(argv=["/bin/ls", "-l"])'

READS_STATE = frozenset({"session_list", "job_output", "policy_check"})  # answered also where no line can be written
ENDS = frozenset({"job_stop", "session_close"})  # what is no longer the caller's may still be ended


class NoShell(Exception):
    """A script was asked for in an image that has nothing to run it."""


@dataclass(frozen=True, slots=True)
class Gateway:
    audit: Audit
    limits: Limits
    questions: Questions
    judge: Judge
    sessions: Sessions
    environments: Environments = field(default_factory=AsTheyAre)
    guard: Guard = field(default_factory=NothingToGuard)
    people: People = field(default_factory=NobodyToAsk)
    steps: Steps = field(default_factory=NobodyLooks)

    async def run(self, caller: Caller, ask: RunAsk, progress: Progress) -> Ran:
        """A command: understood, judged, run as judged, followed for `wait_s`."""
        async with self._admitted(caller, ask) as record:
            question = await self._understood(caller, ask)
            verdict = await self._judged(record, question)
            called = anyio.current_time()
            async with self._session(caller, question, progress) as session:
                question, verdict = await self._for_its_shell(caller, ask, session, record, (question, verdict))
                granted = await self._clear(record, question, verdict, session)
                made_s = anyio.current_time() - called
                with self.steps.step("run"):
                    job = await session.start(granted, ask.tool, record.decision_id, partial(record_end, record))
                    end = await followed(job, rest(ask.wait_s, made_s), progress)
                job.background = job.background or end is None  # its caller reads that it runs on, and looks for it
                await self.guard.after(session)
                record.ended(**outcome(job, end))
                act, told = _run_command(granted), session.take_remarks()
                if act.argv != ask.argv:
                    told = (*told, f"this image has no bash: {act.argv[0]} ran the script")
                return Ran(job, end, session, session.introduce(), record.decision_id, act, told)

    async def use_file[R](self, caller: Caller, ask: FileAsk[R]) -> R:
        """A file: judged as named, opened, judged again as what it really is, used by that same handle."""
        async with self._admitted(caller, ask) as record:
            question = self.questions.of_file(caller, ask)
            verdict = await self._judged(record, question)
            async with self._session(caller, question, unseen) as session:
                found = await _naming(question.paths[0].resolved, session.sandbox.resolve(question.paths[0].resolved))
                if found.real != question.paths[0].resolved:
                    question = self.questions.as_found(question, found, session.spec)
                    verdict = stricter(verdict, await self._judged(record, question))
                granted = await self._clear(record, question, verdict, session, ask.shows)
                with self.steps.step("run"):
                    result = await _naming(found.real, ask.act(session, granted, found))
                record.ended(outcome="done", path=found.real)
                return result

    async def use_session[R](self, caller: Caller, ask: SessionAsk[R]) -> R:
        """Opening, listing, closing a session; looking at its jobs; a dry run."""
        async with self._admitted(caller, ask) as record:
            question = self.questions.of_session(caller, ask)
            if ask.tool not in ENDS and (session := self.sessions.look(caller.id, ask.target.session)):
                self.sessions.grants.demand(session.spec, caller.roles, session.name)
            await self._clear(record, question, await self._judged(record, question))
            return await ask.act(caller)

    async def check(self, caller: Caller, ask: RunAsk) -> tuple[Question, Verdict]:
        """What the policy would say of a command; nothing runs and no session is made."""
        question = await self._understood(caller, ask)
        return question, await self.judge.decide(question)

    async def check_path(self, caller: Caller, ask: FileAsk[Any]) -> tuple[Question, Verdict]:
        question = self.questions.of_file(caller, ask)
        return question, await self.judge.decide(question)

    async def check_host(self, caller: Caller, target: Target, host: str) -> tuple[Question, Verdict]:
        """Raises BadHost for what is none."""
        question = self.questions.of_host(caller, target, host)
        return question, await self.judge.decide_request(question)

    async def allowed(self, caller: Caller, target: Target, op: Op, paths: Iterable[str]) -> frozenset[str]:
        """Those that file_read (or file_list, for op list) would be allowed: a search shows no more than that."""
        tool, allowed = "file_list" if op == "list" else "file_read", []
        for path in paths:
            ask = FileAsk[None](tool, target, op, path, {"path": path}, never)
            if isinstance(await self.judge.decide(self.questions.of_file(caller, ask)), Allow):
                allowed.append(path)
        return frozenset(allowed)

    # --- the steps ---------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _admitted(self, caller: Caller, ask: AnyAsk) -> AsyncGenerator[Record]:
        reads = ask.tool in READS_STATE
        trail = self.audit.call(caller.id, ask.tool, ask.target.session, ask.arguments, reads_state=reads)
        async with trail as record:
            with self.steps.call(record.decision_id):
                async with self.limits.admit(caller.id, ask.tool):
                    yield record

    async def _understood(self, caller: Caller, ask: RunAsk) -> Question:
        with self.steps.step("read"):
            return await self.questions.of_command(caller, ask)

    async def _judged(self, record: Record, question: Question) -> Allow | Ask:
        """Raises Denied for a Deny: that needs no sandbox."""
        with self.steps.step("judge"):
            verdict = await self.judge.decide(question)
        record.decided(question, verdict)
        if isinstance(verdict, Deny):
            raise Denied(verdict, record.decision_id)
        return verdict

    async def _for_its_shell(
        self, caller: Caller, ask: RunAsk, session: Session, record: Record, judged: tuple[Question, Allow | Ask]
    ) -> tuple[Question, Allow | Ask]:
        """Where the image has another shell than bash, the script is another command, and is judged again as that."""
        shell = session.sandbox.shell
        if ask.script is None or shell == ask.argv[0]:
            return judged
        if not shell:
            raise NoShell(f"the image of environment {session.spec.environment} has no shell; {USE_EXEC}")
        question = await self._understood(caller, replace(ask, argv=(shell, "-c", ask.script), script=None))
        return question, stricter(judged[1], await self._judged(record, question))

    async def _clear(
        self, record: Record, question: Question, verdict: Allow | Ask, session: Session | None = None, shows: str = ""
    ) -> Permit:
        """An Allow becomes a Permit, and so does a person's yes. Raises Denied where there is none, with where the
        question now lies."""
        if isinstance(verdict, Allow):
            return permit(question, verdict)
        held = await _held(question, session, shows) if session else Held()
        if (yes := await self.people.given(question, verdict, held)) is not None:
            record.write("call.approved", {"approval": yes.id, "by": yes.answered_by, "scope": yes.scope})
            return permit(question, verdict.granted)
        waiting = await self.people.wanted(question, verdict, held)
        name = question.session.name
        if waiting is None:
            raise Denied(verdict, record.decision_id, session=name)
        record.write("call.asked", {"approval": waiting.id, "state": waiting.state, "by": waiting.answered_by})
        refused = waiting.state == "denied"
        raise Denied(verdict, record.decision_id, waiting.id, session=name, shown=waiting.shown, refused=refused)

    @asynccontextmanager
    async def _session(self, caller: Caller, question: Question, progress: Progress) -> AsyncGenerator[Session]:
        """Where none of that name is there any more, one of the environment that was judged is made."""
        facts = question.session

        async def start() -> SandboxSpec:
            return await self.environments.ready(self.sessions.offered(facts.environment, caller.roles), progress)

        async with AsyncExitStack() as held:
            with self.steps.step("session"):
                finding = self.sessions.held(caller.id, facts.name, facts.environment, start, caller.roles)
                session = await held.enter_async_context(finding)
            yield session


async def _naming[R](path: str, doing: Awaitable[R]) -> R:
    """What the sandbox says of a file, with the file's name."""
    try:
        return await doing
    except FileRefused as exc:
        raise FileRefused(f"{path}: {exc}", exc.number) from exc


async def _held(question: Question, session: Session, shows: str) -> Held:
    """What a yes to this is bound to beside it, looked at now: when it is asked for, and again right before it is used."""
    named = named_files(question)
    files = await session.sandbox.digests(named.paths, named.folders, MOST_BYTES) if named.paths else ()
    disturbed = bool(named.paths) and any(job.has_processes for job in session.jobs.values())
    return held_to(named, files, session.id, disturbed=disturbed, shows=shows)


def _run_command(granted: Permit) -> RunCommand:
    act = granted.question.act
    assert isinstance(act, RunCommand)  # noqa: S101 - run() made it
    return act
