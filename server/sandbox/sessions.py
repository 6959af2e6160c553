"""Sessions: which sandbox belongs to which caller, under which name, with which jobs."""

import secrets
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import anyio
import anyio.to_thread

from policy.verdict import Permit
from server.sandbox.allow_list import covers, demand, listed, narrowed
from server.sandbox.egress_link import AllowEntry
from server.sandbox.jobs import MOST_OUTPUT_BYTES, Job, NoSuchJob
from server.sandbox.output_room import OutputRoom
from server.sandbox.room import Room
from server.sandbox.sandbox import Exit, Sandbox, SandboxSpec

MAX_JOBS_KEPT = 64  # of one session; the oldest that is over gives way


class NoSuchSession(Exception):
    """The caller has no session of that name."""


class SessionExists(Exception):
    """The caller already has a session of that name."""


class NoSuchEnvironment(Exception):
    """The operator offers no environment of that name."""


# What a session is made from, found out only where one is made: an environment may have to be prepared first.
type Start = Callable[[], Awaitable[SandboxSpec]]


class Source(Protocol):
    """Where sandboxes come from: the pool."""

    async def claim(self, spec: SandboxSpec, allow: tuple[AllowEntry, ...], *, alone: bool = False) -> Sandbox: ...

    async def release(self, sandbox: Sandbox) -> None: ...

    def bind(self, sandbox: Sandbox, allow: tuple[AllowEntry, ...]) -> None: ...

    def calls(self, sandbox: Sandbox, decisions: tuple[str, ...]) -> None: ...


@dataclass
class Session:
    """One caller's sandbox. `owner` is the caller's id; another caller never learns that it exists."""

    name: str
    owner: str
    sandbox: Sandbox
    spec: SandboxSpec
    folder: Path
    opened: float
    used: float
    announce: Callable[["Session"], None]  # tells the gate whose flows come next
    hosts: tuple[str, ...] = ()  # what it narrowed its network to; empty: whatever the operator allows
    jobs: dict[str, Job] = field(default_factory=dict)
    room: OutputRoom = field(default_factory=lambda: OutputRoom(MOST_OUTPUT_BYTES))
    made: int = 0
    introduced: bool = False

    def introduce(self) -> bool:
        """True once: whoever asks first tells the caller that it is new."""
        before, self.introduced = self.introduced, True
        return not before

    async def start(self, permit: Permit, shown: str, decision_id: str, on_end: Callable[[Exit], None]) -> Job:
        """Run what was permitted as a new job."""
        self.made += 1
        job = Job(f"j{self.made}", shown, self.folder, decision_id, on_end, self.room)
        self.jobs[job.name] = job
        self._forget()
        self.announce(self)
        try:
            job.command = await self.sandbox.run(permit, job)
        except BaseException:
            del self.jobs[job.name]
            job.close()
            raise
        return job

    def _forget(self) -> None:
        over = [job for job in self.jobs.values() if job.end is not None]
        for job in over[: max(0, len(self.jobs) - MAX_JOBS_KEPT)]:
            self.jobs.pop(job.name).close()

    def job(self, name: str | None) -> Job:
        """That job, or the newest. Raises NoSuchJob."""
        if name is None and self.jobs:
            return next(reversed(self.jobs.values()))
        if name is None or name not in self.jobs:
            known = ", ".join(self.jobs) or "none yet"
            raise NoSuchJob(f"session {self.name} has no job {name or ''}; its jobs: {known}")
        return self.jobs[name]

    def live_decisions(self) -> tuple[str, ...]:
        """The decisions whose commands run now: what a flow that leaves is attributed to."""
        running = [job for job in self.jobs.values() if job.has_processes]
        return tuple(dict.fromkeys(job.decision_id for job in running))


class Sessions:
    """All sessions of this server. `environments` is what the operator offers, by name."""

    def __init__(
        self,
        source: Source,
        environments: Mapping[str, SandboxSpec],
        folder: Path,
        allow: tuple[AllowEntry, ...],
        room: Room,
        networks: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        """networks: the part of `allow` that an environment's sessions have, where that is not all of it."""
        self._source, self._environments, self._folder, self._room = source, environments, folder, room
        self._allow, self._networks = allow, networks or {}
        self._open: dict[tuple[str, str], Session] = {}
        self._opening: dict[tuple[str, str], anyio.Lock] = {}

    def find(self, owner: str, name: str) -> Session:
        """Raises NoSuchSession, also for a session of somebody else."""
        session = self._open.get((owner, name))
        if session is None:
            raise NoSuchSession(f"there is no session {name}; session_open makes one, session_list shows yours")
        return session

    async def find_or_open(self, owner: str, name: str, environment: str, start: Start | None = None) -> Session:
        """The caller's session of that name, made where it is not there.

        A session whose sandbox is gone is replaced: its name stays, its files do not.
        """
        session = self._open.get((owner, name))
        if session is not None and session.sandbox.alive:  # whoever has one never waits for others to get theirs
            session.used = time.time()
            return session
        spec = await start() if start else None
        async with self._opening.setdefault((owner, name), anyio.Lock()):
            session = self._open.get((owner, name))
            if session is not None and session.sandbox.alive:
                return session
            if session is not None:
                await self._discard(session)
            return await self._make(owner, name, environment, (), spec)

    async def open(
        self,
        owner: str,
        name: str | None,
        environment: str,
        hosts: tuple[str, ...],
        *,
        spec: SandboxSpec | None = None,
        alone: bool = False,
    ) -> Session:
        """A new session, its name made up where none is given. Raises SessionExists, HostNotAllowed, Full.

        spec: what it starts from where that is not the environment itself. alone: nobody else will want the same.
        """
        demand(self._hosts(environment), hosts)
        name = name or f"s-{secrets.token_hex(8)}"
        async with self._opening.setdefault((owner, name), anyio.Lock()):
            session = self._open.get((owner, name))
            if session is not None and session.sandbox.alive:
                raise SessionExists(f"session {name} is open already; use it, or close it with session_close first")
            if session is not None:
                await self._discard(session)
            return await self._make(owner, name, environment, hosts, spec, alone=alone)

    async def _make(
        self,
        owner: str,
        name: str,
        environment: str,
        hosts: tuple[str, ...],
        start: SandboxSpec | None,
        *,
        alone: bool = False,
    ) -> Session:
        spec = start or self.offered(environment)
        await self._room.enter(owner)
        try:
            sandbox = await self._source.claim(spec, self._hosts(environment, hosts), alone=alone)
        except BaseException:
            self._room.leave()
            raise
        now = time.time()
        session = Session(name, owner, sandbox, spec, self._folder / sandbox.id, now, now, self._announce, hosts)
        self._open[owner, name] = session
        return session

    def offered(self, environment: str) -> SandboxSpec:
        """What a sandbox of that environment is made from. Raises NoSuchEnvironment."""
        if environment not in self._environments:
            offered = ", ".join(self._environments)
            raise NoSuchEnvironment(f"there is no environment {environment}; this server offers: {offered}")
        return self._environments[environment]

    def environment_of(self, owner: str, name: str, default: str) -> str:
        session = self._open.get((owner, name))
        return session.spec.environment if session else default

    def spec_of(self, owner: str, name: str, default: str) -> SandboxSpec:
        session = self._open.get((owner, name))
        return session.spec if session else self.offered(default)

    def of(self, owner: str) -> list[Session]:
        return [session for (who, _), session in self._open.items() if who == owner]

    def _announce(self, session: Session) -> None:
        self._source.calls(session.sandbox, session.live_decisions())

    async def close(self, owner: str, name: str) -> None:
        """Destroy it, whatever runs in it. Raises NoSuchSession."""
        await self._discard(self.find(owner, name))

    async def _discard(self, session: Session) -> None:
        del self._open[session.owner, session.name]
        self._opening.pop((session.owner, session.name), None)
        with anyio.CancelScope(shield=True):
            try:
                await self._source.release(session.sandbox)
            finally:
                self._room.leave()
        for job in session.jobs.values():
            job.close()
        await anyio.to_thread.run_sync(lambda: shutil.rmtree(session.folder, ignore_errors=True))

    async def close_all(self) -> None:
        async with anyio.create_task_group() as tasks:
            for session in list(self._open.values()):
                tasks.start_soon(self._discard, session)

    # --- hosts -------------------------------------------------------------------------------------------------------

    def allow_from_now_on(self, allow: tuple[AllowEntry, ...]) -> None:
        """The operator's list has changed: open sessions follow it, narrowed ones keep what of theirs is still on it."""
        self._allow = allow
        for session in self._open.values():
            self._source.bind(session.sandbox, self._hosts(session.spec.environment, session.hosts))

    def _hosts(self, environment: str, chosen: tuple[str, ...] = ()) -> tuple[AllowEntry, ...]:
        """The operator's list, or the part of it that the environment has; of that, what a session chose."""
        named = self._networks.get(environment)
        ceiling = narrowed(self._allow, named) if named else self._allow
        return narrowed(ceiling, chosen) if chosen else ceiling

    def host_verdict(self, host: str) -> str:
        """What a dry run says of a host; the gate has the last word when a request is made."""
        if any(covers(entry, host) for entry in self._allow):
            return f"allow: {host} is on the list"
        return f"deny: {host} is not on the list; allowed: {listed(self._allow)}. A person can add it: sandgate allow {host}"

    def of_sandbox(self, sandbox_id: str) -> Session | None:
        return next((session for session in self._open.values() if session.sandbox.id == sandbox_id), None)
