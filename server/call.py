"""The one path. Every tool call goes through `Gateway`, top to bottom, and there is no other.

Three doors, the same steps: what runs (`run`), what touches a file (`use_file`), what is about a session itself
(`use_session`). Each is audited before anything else, admitted, understood, judged, cleared; only a Permit gets further.
"""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import anyio

from policy.held import MOST_BYTES, Held, held_to, named_files
from policy.path import area as path_area
from policy.path import normalise
from policy.path import uses as path_uses
from policy.question import CallerFacts, Op, PathUse, Question, RunCommand, SessionFacts, UseFile, UseHost, UseSession
from policy.verdict import Allow, Ask, Denied, Deny, Permit, Verdict, permit, stricter
from server.judge.approvals import NobodyToAsk
from server.judge.host_patterns import split
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
    Reader,
    Record,
    Steps,
)
from server.record.audit import AuditFailed
from server.sandbox.jobs import Job
from server.sandbox.sandbox import Exit, FileRefused, Found, SandboxSpec
from server.sandbox.session import Session
from server.sandbox.sessions import Sessions

KILL = 9
UNTOLD_S = 0.05  # of a command: who would read what it says meanwhile
BASH = ("/bin/bash", "--noprofile", "--norc", "-c")  # how a script is run, as the policy reads it
USE_EXEC = 'use exec, with the program and its arguments: exec(argv=["/bin/ls", "-l"])'

READS_STATE = frozenset({"session_list", "job_output", "policy_check"})  # answered also where no line can be written

log = logging.getLogger("sandgate")


class NoShell(Exception):
    """A script was asked for in an image that has nothing to run it."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: issuer and subject on HTTP, "local" on stdio. Nothing is anonymous."""

    id: str
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """The session a call names, and the environment it gets where the call is its first."""

    session: str
    environment: str


@dataclass(frozen=True, slots=True)
class RunAsk:
    """What shell and exec ask for. `script` is the text of a shell call; exec has none."""

    tool: str
    target: Target
    argv: tuple[str, ...]
    script: str | None
    cwd: str | None
    stdin: bytes
    timeout_s: float
    wait_s: float
    background: bool
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FileAsk[R]:
    """What a file tool asks for; `act` does it, with the permit and the handle that was judged."""

    tool: str
    target: Target
    op: Op
    path: str
    arguments: Mapping[str, Any]
    act: Callable[[Session, Permit, Found], Awaitable[R]]
    reads_too: bool = False  # an edit shows what it found, so it is a read as well
    shows: str = ""  # what a person is shown beside the arguments, where they are asked


@dataclass(frozen=True, slots=True)
class SessionAsk[R]:
    """What is about sessions and their jobs rather than inside one."""

    tool: str
    target: Target
    arguments: Mapping[str, Any]
    act: Callable[[Caller], Awaitable[R]]


@dataclass(frozen=True, slots=True)
class Ran:
    """A command after `wait_s`: over, or running on as `job`."""

    job: Job
    end: Exit | None
    session: Session
    is_new_session: bool
    decision_id: str
    act: RunCommand
    remarks: tuple[str, ...] = ()  # what else there is to tell of the session


@dataclass(frozen=True, slots=True)
class Gateway:
    audit: Audit
    limits: Limits
    reader: Reader
    judge: Judge
    sessions: Sessions
    environments: Environments = field(default_factory=AsTheyAre)
    guard: Guard = field(default_factory=NothingToGuard)
    people: People = field(default_factory=NobodyToAsk)
    steps: Steps = field(default_factory=NobodyLooks)

    async def run(self, caller: Caller, ask: RunAsk, progress: Progress) -> Ran:
        """A command: understood, judged, run as judged, followed for `wait_s`."""
        async with self._admitted(caller, ask) as record:
            question = await self._understand(caller, ask)
            verdict = await self._judged(record, question)
            called = anyio.current_time()
            async with self._session(caller, question, progress) as session:
                question, verdict = await self._for_its_shell(caller, ask, session, record, (question, verdict))
                granted = await self._clear(record, question, verdict, session)
                made_s = anyio.current_time() - called
                with self.steps.step("run"):
                    job = await session.start(granted, ask.tool, record.decision_id, lambda end: _ended(record, end))
                    end = await _followed(job, _rest(ask.wait_s, made_s), progress)
                await self.guard.after(session)
                record.ended(**_outcome(job, end))
                act, told = _run_command(granted), session.take_remarks()
                if act.argv != ask.argv:
                    told = (*told, f"this image has no bash: {act.argv[0]} ran the script")
                return Ran(job, end, session, session.introduce(), record.decision_id, act, told)

    async def use_file[R](self, caller: Caller, ask: FileAsk[R]) -> R:
        """A file: judged as named, opened, judged again as what it really is, used by that same handle."""
        async with self._admitted(caller, ask) as record:
            question = self._file_question(caller, ask)
            verdict = await self._judged(record, question)
            async with self._session(caller, question, _unseen) as session:
                found = await _naming(question.paths[0].resolved, session.sandbox.resolve(question.paths[0].resolved))
                if found.real != question.paths[0].resolved:
                    question = self._as_found(question, found, session)
                    verdict = stricter(verdict, await self._judged(record, question))
                granted = await self._clear(record, question, verdict, session, ask.shows)
                with self.steps.step("run"):
                    result = await _naming(found.real, ask.act(session, granted, found))
                record.ended(outcome="done", path=found.real)
                return result

    async def use_session[R](self, caller: Caller, ask: SessionAsk[R]) -> R:
        """Opening, listing, closing a session; looking at its jobs; a dry run."""
        async with self._admitted(caller, ask) as record:
            question = self._question(caller, ask, UseSession(ask.tool, ask.arguments))
            await self._clear(record, question, await self._judged(record, question))
            return await ask.act(caller)

    async def check(self, caller: Caller, ask: RunAsk) -> tuple[Question, Verdict]:
        """What the policy would say of a command; nothing runs and no session is made."""
        question = await self._understand(caller, ask)
        return question, await self.judge.decide(question)

    async def check_path(self, caller: Caller, ask: FileAsk[Any]) -> tuple[Question, Verdict]:
        question = self._file_question(caller, ask)
        return question, await self.judge.decide(question)

    async def check_host(self, caller: Caller, target: Target, host: str) -> tuple[Question, Verdict]:
        """Raises BadHost for what is none."""
        spec = self._spec(caller, target)
        facts = SessionFacts(target.session, spec.environment, spec.home, spec.workspaces)
        act = UseHost(*split(host))
        question = Question(CallerFacts(caller.id, caller.roles), "network", facts, act, {"host": host})
        return question, await self.judge.decide_request(question)

    async def allowed(self, caller: Caller, target: Target, op: Op, paths: Iterable[str]) -> frozenset[str]:
        """Those that file_read (or file_list, for op list) would be allowed: a search shows no more than that."""
        tool, allowed = "file_list" if op == "list" else "file_read", []
        for path in paths:
            ask = FileAsk[None](tool, target, op, path, {"path": path}, _nothing)
            if isinstance(await self.judge.decide(self._file_question(caller, ask)), Allow):
                allowed.append(path)
        return frozenset(allowed)

    # --- the steps ---------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _admitted(self, caller: Caller, ask: RunAsk | FileAsk[Any] | SessionAsk[Any]) -> AsyncGenerator[Record]:
        reads = ask.tool in READS_STATE
        trail = self.audit.call(caller.id, ask.tool, ask.target.session, ask.arguments, reads_state=reads)
        async with trail as record:
            with self.steps.call(record.decision_id):
                async with self.limits.admit(caller.id, ask.tool):
                    yield record

    async def _understand(self, caller: Caller, ask: RunAsk) -> Question:
        """From the text or argv to the question: every command at any depth, and the act exactly as it would run."""
        spec = self._spec(caller, ask.target)
        cwd = normalise(ask.cwd or spec.start_dir, spec.start_dir, spec.home)
        with self.steps.step("read"):
            if ask.script is None:
                reading = await self.reader.read_argv(ask.argv, cwd, spec.home, spec.workspaces)
            else:
                reading = await self.reader.read_script(ask.script, cwd, spec.home, spec.workspaces)
        act = RunCommand(ask.argv, cwd, ask.stdin, ask.timeout_s, ask.background)
        question = self._question(caller, ask, act)
        return replace(question, reading=reading, paths=path_uses(reading, spec.home, spec.workspaces))

    def _file_question(self, caller: Caller, ask: FileAsk[Any]) -> Question:
        spec = self._spec(caller, ask.target)
        path = normalise(ask.path, spec.start_dir, spec.home)
        use = PathUse(ask.path, path, ask.op, path_area(path, spec.home, spec.workspaces))
        uses = (use, replace(use, op="read")) if ask.reads_too else (use,)
        return replace(self._question(caller, ask, UseFile(ask.op, path)), paths=uses)

    def _as_found(self, question: Question, found: Found, session: Session) -> Question:
        """The same question about the path that the handle really is."""
        area = path_area(found.real, session.spec.home, session.spec.workspaces)
        uses = tuple(replace(use, resolved=found.real, area=area) for use in question.paths)
        return replace(question, act=UseFile(question.paths[0].op, found.real), paths=uses)

    def _question(
        self, caller: Caller, ask: RunAsk | FileAsk[Any] | SessionAsk[Any], act: RunCommand | UseFile | UseSession
    ) -> Question:
        target = ask.target
        spec = self._spec(caller, target)
        facts = SessionFacts(target.session, spec.environment, spec.home, spec.workspaces)
        return Question(CallerFacts(caller.id, caller.roles), ask.tool, facts, act, ask.arguments)

    def _spec(self, caller: Caller, target: Target) -> SandboxSpec:
        return self.sessions.spec_of(caller.id, target.session, target.environment)

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
        question = await self._understand(caller, replace(ask, argv=(shell, "-c", ask.script), script=None))
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
            return await self.environments.ready(self.sessions.offered(facts.environment), progress)

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


async def _nothing(*_: object) -> None:
    """What a question that is only asked does."""


def _run_command(granted: Permit) -> RunCommand:
    act = granted.question.act
    assert isinstance(act, RunCommand)  # noqa: S101 - run() made it
    return act


def _rest(wait_s: float, made_s: float) -> float:
    """What is left of the caller's patience after its session was made: a second at least, where it had that much."""
    return max(wait_s - made_s, min(wait_s, 1.0))


async def _unseen(job: Job) -> None:  # noqa: ARG001 - it is a Progress
    """Progress that nobody asked for; as any, it goes on until it is cancelled."""
    await anyio.sleep_forever()


async def _followed(job: Job, wait_s: float, progress: Progress) -> Exit | None:
    """The job's end, or None where it goes on after `wait_s`; where the caller gives up, the job is stopped."""
    try:
        return await _follow(job, wait_s, progress)
    except anyio.get_cancelled_exc_class():
        with anyio.CancelScope(shield=True):
            await job.stop(KILL, "cancelled")
        raise


async def _follow(job: Job, wait_s: float, progress: Progress) -> Exit | None:
    """Wait for the end as long as the caller wants, telling of output meanwhile: most commands leave no time for that."""
    if (end := await job.wait(min(wait_s, UNTOLD_S))) is not None or wait_s <= UNTOLD_S:
        return end
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(progress, job)
        end = await job.wait(wait_s - UNTOLD_S)
        tasks.cancel_scope.cancel()
    return end


def _ended(record: Record, end: Exit) -> None:
    """A job may outlive its call: its end is a line of its own, under the same decision.

    Where that cannot be written no new call starts either, but what runs in other sessions is not ended for it.
    """
    try:
        _write_end(record, end)
    except AuditFailed:
        log.exception("the end of a job is not recorded")


def _write_end(record: Record, end: Exit) -> None:
    record.write(
        "sandbox.job_ended",
        {
            "status": end.status,
            "exit_code": end.exit_code,
            "signal": end.signal,
            "detail": end.detail,
            "duration_ms": end.duration_ms,
            "cpu_s": round(end.cpu_s, 4),
            "peak_memory_kb": end.peak_memory_kb,
            "left_behind": end.left_behind,
        },
    )


def _outcome(job: Job, end: Exit | None) -> dict[str, Any]:
    sizes = {f"{name}_bytes": spool.total for name, spool in job.streams.items()}
    return {"outcome": job.status, "job": job.name, "exit_code": end.exit_code if end else None, **sizes}
