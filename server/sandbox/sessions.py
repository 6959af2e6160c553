"""Sessions: which sandbox belongs to which caller, under which name, in the hands of which server."""

import logging
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio

from server.note import Note
from server.sandbox import remarks
from server.sandbox.allow_list import AllowList, Roles, demand
from server.sandbox.egress_link import AllowEntry
from server.sandbox.grants import EVERYBODYS, Grants
from server.sandbox.ledger import Entry, Ledger
from server.sandbox.lifecycle import Lifecycle
from server.sandbox.resting import Resting
from server.sandbox.room import Room
from server.sandbox.sandbox import Sandbox, SandboxFailed, SandboxLost, SandboxSpec
from server.sandbox.session import Session
from server.sandbox.source import Source
from server.sandbox.turns import Turns


class NoSuchSession(Exception):
    """The caller has no session of that name."""


class SessionExists(Exception):
    """The caller already has a session of that name."""


class NoSuchEnvironment(Exception):
    """The operator offers no environment of that name, or not to callers of these roles."""


log = logging.getLogger("sandgate")
# What a session is made from, found out only where one is made: an environment may have to be prepared first.
type Start = Callable[[], Awaitable[SandboxSpec]]


class Sessions:
    """All sessions in this server's hands.

    environments: what the operator offers, by name. usual: of which a session is where nobody says.
    """

    def __init__(
        self,
        source: Source,
        environments: Mapping[str, SandboxSpec],
        folder: Path,
        allow: AllowList,
        room: Room,
        ledger: Ledger,
        resting: Resting,
        *,
        usual: str = "",
        grants: Grants = EVERYBODYS,
        note: Note = lambda _kind, _facts: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._source, self._environments, self._folder, self.room = source, environments, folder, room
        self._usual, self.grants = usual, grants
        self._allow, self._ledger, self._clock = allow, ledger, clock
        self._life = Lifecycle(source, room, ledger, resting, folder, note)
        self._open: dict[tuple[str, str], Session] = {}
        self._turns = Turns()
        self._farewells: dict[tuple[str, str], str] = {}  # what became of one that is replaced

    # --- finding -----------------------------------------------------------------------------------------------------

    def find(self, owner: str, name: str) -> Session:
        """As it is, awake or not. Raises NoSuchSession, also for a session of somebody else."""
        session = self._known(owner, name)
        if session is None:
            raise NoSuchSession(f"there is no session {name}; session_open makes one, session_list shows yours")
        return session

    def _known(self, owner: str, name: str) -> Session | None:
        """In our hands, or taken into them now: one that its server put down, or died with."""
        session = self._open.get((owner, name))
        for entry in self._free(owner, name) if session is None else ():
            if self._ledger.take(entry):
                session = self._open[owner, name] = self._restored(entry)
                break
        return session

    def _free(self, owner: str, name: str | None = None) -> list[Entry]:
        """In nobody's hands. Where the operator does not offer its environment, one stays as it is until that is so."""
        return [entry for entry in self._ledger.free(owner, name) if entry.environment in self._environments]

    def _restored(self, entry: Entry) -> Session:
        """Its folders are still in it where the settings took them from its role since: nobody of that role uses it then."""
        offered = self._environments[entry.environment]
        spec = replace(entry.spec(offered), secrets=self.grants.part(offered, entry.roles).secrets)
        session = self._session(entry, spec, None)
        session.restore_jobs()
        session.remarks = remarks.taken_up(entry, self._usual)
        return session

    def _session(self, entry: Entry, spec: SandboxSpec, box: Sandbox | None) -> Session:
        return Session(
            id=entry.id,
            name=entry.name,
            owner=entry.owner,
            box=box,
            spec=spec,
            folder=self._folder / entry.id,
            opened=entry.opened,
            used=entry.used,
            announce=self._announce,
            ledger=self._ledger,
            hosts=entry.hosts,
            roles=entry.roles,
            ends=entry.ends,
            state="live" if box else "parked" if entry.state == "parked" else "waiting",
            waiting_for=(entry.sandbox, entry.key),
            introduced=box is None,
            clock=self._clock,
        )

    @asynccontextmanager
    async def held(
        self, owner: str, name: str, environment: str, start: Start | None = None, roles: Roles = ()
    ) -> AsyncGenerator[Session]:
        """The caller's session of that name, awake, made where it is not there; it stays awake meanwhile."""
        session = await self.find_or_open(owner, name, environment, start, roles)
        session.holds += 1
        try:
            yield session
        finally:
            session.holds -= 1
            session.used = self._clock()

    async def find_or_open(
        self, owner: str, name: str, environment: str, start: Start | None = None, roles: Roles = ()
    ) -> Session:
        """As `held`, which a call uses. One whose sandbox is gone is replaced: its name stays, its files do not."""
        session = self._open.get((owner, name))
        if session is not None and session.ready:  # whoever has one never waits for others to get theirs
            session.used = self._clock()
            if session.roles != roles or not self._allow.knows(roles):
                self._takes_roles(session, roles)
                await self._allow.learn(roles)
                self._rebind(session)
            if session.ready:  # else it came to rest, or was closed, while its hosts were asked for
                return session
        async with self._turns.of(owner, name):
            if session := await self._back(owner, name, roles):
                return session
        spec = await start() if start else None
        async with self._turns.of(owner, name):
            back = await self._back(owner, name, roles)
            return back or await self._make(owner, name, environment, (), spec, roles=roles)

    def _takes_roles(self, session: Session, roles: Roles) -> None:
        self.grants.demand(session.spec, roles, session.name)
        session.roles = roles

    async def _back(self, owner: str, name: str, roles: Roles | None = None) -> Session | None:
        """The session of that name, awake; None where there is none, or it is beyond waking. In its turn."""
        if (owner, name) not in self._open:
            await self._life.handed_over(owner, name)
        session = self._known(owner, name)
        if session is None:
            return None
        if roles is not None:
            self._takes_roles(session, roles)
        await self._allow.learn(session.roles)
        try:
            await self._life.wake(session, lambda: self._allow_of(session))
        except SandboxLost as exc:
            await self._end(session, "lost")
            self._farewells[owner, name] = f"the session {name} before this one is gone with its files: {exc}"
            return None
        return session

    async def adopt_left(self, after_s: float) -> None:
        """What a server that died left is taken over before it gives up. after_s: one that only lists its tools takes nothing."""
        await anyio.sleep(after_s)
        try:
            left = self._ledger.left()
        except OSError as exc:
            log.warning("what other servers left stays as it is: %s", exc)
            return
        async with anyio.create_task_group() as tasks:
            for entry in left:
                tasks.start_soon(self._adopt_left, entry.owner, entry.name)

    async def _adopt_left(self, owner: str, name: str) -> None:
        try:
            async with self._turns.of(owner, name):
                if (owner, name) not in self._open:
                    await self._back(owner, name)
        except Exception as exc:  # noqa: BLE001 - such as a turn that does not come: no end of the server
            log.warning("session %s stays as it is: %s", name, exc)

    # --- making ------------------------------------------------------------------------------------------------------

    async def open(
        self,
        owner: str,
        name: str | None,
        environment: str,
        hosts: tuple[str, ...],
        *,
        spec: SandboxSpec | None = None,
        alone: bool = False,
        ttl_s: float | None = None,
        roles: Roles = (),
    ) -> Session:
        """A new session, its name made up where none is given. Raises SessionExists, HostNotAllowed, Full.

        spec: what it starts from where that is not the environment itself. alone: nobody else will want the same.
        ttl_s: when it is closed, counted from now; nothing: when it was not used for as long as parked ones are kept.
        """
        await self._allow.learn(roles)
        demand(self._allow.of(environment, roles=roles), hosts)
        name = name or f"s-{secrets.token_hex(8)}"
        async with self._turns.of(owner, name):
            known = self._known(owner, name)
            if (known and known.state == "parked" and not known.over) or await self._back(owner, name, roles):
                raise SessionExists(f"session {name} is open already; use it, or close it with session_close first")
            return await self._make(owner, name, environment, hosts, spec, alone=alone, ttl_s=ttl_s, roles=roles)

    async def _make(
        self,
        owner: str,
        name: str,
        environment: str,
        hosts: tuple[str, ...],
        start: SandboxSpec | None,
        *,
        alone: bool = False,
        ttl_s: float | None = None,
        roles: Roles = (),
    ) -> Session:
        spec = start or self.offered(environment, roles)
        await self._allow.learn(roles)
        sandbox = await self._life.claim(owner, spec, lambda: self._allow.of(environment, hosts, roles), alone=alone)
        entry = self._ledger.fresh(owner, name, spec, sandbox, hosts, self._clock(), roles)
        if ttl_s is not None:
            entry = replace(entry, ends=entry.opened + ttl_s)
        try:
            self._ledger.enter(entry)
        except OSError as exc:
            await self._life.let_go(sandbox)
            raise SandboxFailed(f"the session cannot be written down, so it was not opened: {exc}") from exc
        session = self._session(entry, replace(spec, lent_as=entry.lent_as), sandbox)
        session.remarks = [*self._farewell(owner, name), *remarks.begun_beside(self._ledger, entry, self._environments)]
        self._open[owner, name] = session
        return session

    def _farewell(self, owner: str, name: str) -> list[str]:
        told = self._farewells.pop((owner, name), None)
        return [told] if told else []

    # --- what there is -----------------------------------------------------------------------------------------------

    def offered(self, environment: str, roles: Roles = ()) -> SandboxSpec:
        """What a sandbox of that environment is made from, for a caller of these roles. Raises NoSuchEnvironment."""
        there = [name for name in self._environments if self.grants.offer(name, roles)]
        if environment not in there:
            raise NoSuchEnvironment(f"there is no environment {environment}; this server offers: {', '.join(there)}")
        return self.grants.part(self._environments[environment], roles)

    def spec_of(self, owner: str, name: str, default: str, roles: Roles = ()) -> SandboxSpec:
        session = self.look(owner, name)
        return session.spec if session else self.offered(default, roles)

    def look(self, owner: str, name: str) -> Session | None:
        """Without taking it: a question is not a use."""
        session = self._open.get((owner, name))
        free = self._free(owner, name) if session is None else []
        return self._restored(free[0]) if free else session

    def of(self, owner: str) -> list[Session]:
        """In our hands, or in nobody's; the latter are only looked at."""
        ours = {name: session for (who, name), session in self._open.items() if who == owner}
        for entry in self._free(owner):
            if entry.name not in ours:
                ours[entry.name] = self._restored(entry)
        return list(ours.values())

    def every(self) -> list[Session]:
        """The same of all callers, for the operator."""
        free = {entry.owner for entry in self._ledger.every() if entry.scope == self._ledger.scope}
        return [session for owner in sorted(free | {who for who, _ in self._open}) for session in self.of(owner)]

    def of_sandbox(self, sandbox_id: str) -> Session | None:
        return next((found for found in self._open.values() if found.box and found.box.id == sandbox_id), None)

    def _announce(self, session: Session) -> None:
        self._source.calls(session.sandbox, session.live_decisions())

    # --- rest --------------------------------------------------------------------------------------------------------

    def at_hand(self) -> list[Session]:
        """Those in our hands, whoever's they are."""
        return list(self._open.values())

    async def freeze(self, session: Session, *, even_busy: bool = False) -> None:
        """Where it is still quiet when its turn comes. Raises SandboxFailed."""
        async with self._turns.of(session.owner, session.name):
            if session.ready and (session.quiet or even_busy):
                await self._life.freeze(session)

    async def park(self, session: Session) -> None:
        """Where it is still quiet when its turn comes. Raises SandboxFailed."""
        async with self._turns.of(session.owner, session.name):
            if session.state in ("live", "frozen") and session.box and session.box.alive and session.quiet:
                await self._life.park(session)

    @asynccontextmanager
    async def still(self, owner: str, name: str) -> AsyncGenerator[Session]:
        """The session, awake before and after, in which nothing moves meanwhile: commands stand still, calls wait.

        Raises NoSuchSession, and SandboxLost and SandboxFailed where it cannot be had so.
        """
        self.find(owner, name)
        async with self._turns.of(owner, name):
            session = await self._back(owner, name)
            if session is None:
                raise SandboxLost("; ".join(self._farewell(owner, name)) or f"the session {name} was closed")
            await self._life.freeze(session)
            try:
                yield session
            finally:
                session.used = self._clock()
                if session.box is not None:  # else the server ends, and it with it
                    await self._life.thaw(session)

    async def expire(self, session: Session, *, if_parked: bool = False) -> None:
        """Its time is over, whatever runs in it."""
        async with self._turns.of(session.owner, session.name):
            still = session.state == "parked" or not if_parked
            if still and self._open.get((session.owner, session.name)) is session:
                await self._end(session, "expired")

    async def bury(self, unused_since: float, most_parked: int) -> None:
        """Parked ones beyond a caller's number; of the others those in no hands, unused since then or over; strangers."""
        surplus = self._ledger.surplus(most_parked)
        for session in self.at_hand():
            if session.id in surplus:
                await self.expire(session, if_parked=True)
        for entry in self._ledger.every():
            over = entry.ends is not None and self._clock() >= entry.ends
            old = over or entry.used < unused_since or entry.id in surplus
            if old and not self._ledger.is_held(entry) and self._ledger.take(entry):
                await self._life.bury(entry)
        await self._life.drop_strangers()

    # --- ending ------------------------------------------------------------------------------------------------------

    async def close(self, owner: str, name: str, why: str = "closed") -> None:
        """Destroy it, whatever runs in it. Raises NoSuchSession."""
        self.find(owner, name)
        async with self._turns.of(owner, name):
            await self._end(self.find(owner, name), why)

    async def _end(self, session: Session, why: str) -> None:
        self._open.pop((session.owner, session.name), None)
        await self._life.end(session, why)

    async def put_down_all(self) -> None:
        """The server ends in order: each is kept for the next one, or where that cannot be left to be adopted in time."""
        async with anyio.create_task_group() as tasks:
            for session in self.at_hand():
                tasks.start_soon(self._put_down, session)

    async def _put_down(self, session: Session) -> None:
        async with self._turns.of(session.owner, session.name):
            if session.over or (session.box is not None and not session.box.alive):
                await self._end(session, "expired" if session.over else "lost")
                return
            try:
                await self._life.put_down(session)
            except (SandboxFailed, OSError) as exc:
                log.warning(
                    "session %s waits for another server, for as long as its sandbox does: %s", session.name, exc
                )

    # --- hosts -------------------------------------------------------------------------------------------------------

    async def follow_policy(self) -> None:
        """It has changed: open sessions follow the list of hosts, narrowed ones keep what of theirs is still on it."""
        await self._allow.learn_anew()
        for session in self._open.values():
            self._rebind(session)

    def _rebind(self, session: Session) -> None:
        if session.box is not None:
            self._source.bind(session.box, self._allow_of(session))

    def _allow_of(self, session: Session) -> tuple[AllowEntry, ...]:
        return self._allow.of(session.spec.environment, session.hosts, session.roles)
