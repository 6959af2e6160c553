"""What happens to one session between its making and its end: awake, at rest, awake again. Whoever calls has its turn."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from server.note import Note
from server.sandbox.egress_link import AllowEntry
from server.sandbox.ledger import Entry, Ledger, logged
from server.sandbox.resting import Resting
from server.sandbox.room import Room
from server.sandbox.sandbox import NoSuchImage, Sandbox, SandboxFailed, SandboxLost, SandboxSpec
from server.sandbox.session import Session
from server.sandbox.source import Source

HANDED_OVER_S = 12.0  # a server has 8 s for what it holds, and a moment for the rest
LOOK_AGAIN_S = 0.1


type Allowed = Callable[[], tuple[AllowEntry, ...]]  # at that moment


class Lifecycle:
    """`folder` has a folder for what each session's commands wrote."""

    def __init__(self, source: Source, room: Room, ledger: Ledger, resting: Resting, folder: Path, note: Note) -> None:
        self._source, self._room, self._ledger, self._resting = source, room, ledger, resting
        self._folder, self._note = folder, note
        self._owners: dict[str, str] = {}  # whose each sandbox is, as long as it has its place

    # --- sandboxes ---------------------------------------------------------------------------------------------------

    async def claim(self, owner: str, spec: SandboxSpec, allowed: Allowed, *, alone: bool) -> Sandbox:
        """A sandbox and the room for it. Raises Full, SandboxFailed."""
        await self._room.enter(owner)
        try:
            box = await self._source.claim(spec, told := allowed(), alone=alone)
        except BaseException:
            self._room.leave(owner)
            raise
        self._owners[box.id] = owner
        self._catch_up(box, told, allowed())
        return box

    def _catch_up(self, box: Sandbox, told: tuple[AllowEntry, ...], now: tuple[AllowEntry, ...]) -> None:
        """A policy that changes while a sandbox is made is told to the others alone."""
        if now != told:
            self._source.bind(box, now)

    async def let_go(self, sandbox: Sandbox) -> None:
        try:
            await self._source.release(sandbox)
            await self._resting.gone(sandbox.id)
        finally:
            self._room.leave(self._owners.pop(sandbox.id))

    # --- waking ------------------------------------------------------------------------------------------------------

    async def handed_over(self, owner: str, name: str) -> None:
        """Until nobody who ends has a session of that name any more: the client that was restarted wants it, not another."""
        with anyio.move_on_after(HANDED_OVER_S):
            while self._ledger.is_coming(owner, name):  # noqa: ASYNC110 - another process sets no event of ours
                await anyio.sleep(LOOK_AGAIN_S)

    async def wake(self, session: Session, allowed: Allowed) -> None:
        """Raises SandboxLost where that cannot be, for good; Full and SandboxFailed where it may be later."""
        if session.over:
            raise SandboxLost("the time that it was opened for is over")
        match session.state:
            case "waiting":
                await self._adopt(session, allowed)
            case "frozen":
                await self._resting.thaw(session)
            case "parked":
                await self._resume(session, allowed)
            case _:
                pass
        if not session.sandbox.alive:
            raise SandboxLost("its sandbox ended")

    async def _adopt(self, session: Session, allowed: Allowed) -> None:
        """Over the cap where it must be: it is there already."""
        self._room.take(session.owner)
        try:
            box = await self._source.adopt(session.spec, *session.waiting_for, told := allowed())
        except BaseException:
            self._room.leave(session.owner)
            raise
        self._owners[box.id] = session.owner
        self._catch_up(box, told, allowed())
        session.box, session.state = box, "live"
        session.remarks.append("its server was lost and what ran ended with that; its files are as they were")
        self._note("session.adopted", _facts(session) | {"sandbox": box.id})

    async def _resume(self, session: Session, allowed: Allowed) -> None:
        kept = self._resting.kept_files(session)
        spec = replace(session.spec, image=kept.image, user=kept.user)
        try:
            box = await self.claim(session.owner, spec, allowed, alone=True)
        except NoSuchImage as exc:
            raise SandboxLost("what was kept of its files is gone from the engine") from exc
        try:
            self._ledger.lives(session.id, box.id, box.key, spec.image)
        except OSError as exc:
            await self.let_go(box)
            raise SandboxFailed(f"session {session.name} cannot be written down, so it stays parked: {exc}") from exc
        session.box, session.spec, session.state = box, spec, "live"
        self._note("session.resumed", _facts(session))

    # --- resting -----------------------------------------------------------------------------------------------------

    async def freeze(self, session: Session) -> None:
        """Raises SandboxFailed, and then it is awake."""
        with logged(f"when session {session.id} was used"):
            self._ledger.used(session.id, session.used)
        await self._resting.freeze(session)

    async def park(self, session: Session, *, to_the_end: bool = True) -> None:
        """Its files are kept, and its sandbox is gone. Raises SandboxFailed, and then it is frozen or awake."""
        sandbox = session.sandbox
        kept = await self._resting.keep_files(session, to_the_end=to_the_end)
        try:
            self._ledger.parked(session.id, kept.image, session.used)
        except OSError as exc:
            raise SandboxFailed(f"that session {session.name} is parked cannot be written down: {exc}") from exc
        session.box, session.state = None, "parked"
        try:
            self._note("session.parked", _facts(session) | {"snapshot": kept.id, "size_bytes": kept.size_bytes})
        finally:
            with anyio.CancelScope(shield=True):
                await self.let_go(sandbox)

    async def put_down(self, session: Session) -> None:
        """The server ends in order: what it has of the session is kept for the next one. Raises SandboxFailed, OSError."""
        if session.state in ("live", "frozen"):
            await session.stop_jobs("server_ended")
            await self.park(session, to_the_end=False)
        self._ledger.put_down(session.id, session.used)

    async def thaw(self, session: Session) -> None:
        """Raises SandboxLost; SandboxFailed, and then it is frozen as before."""
        await self._resting.thaw(session)

    # --- ending ------------------------------------------------------------------------------------------------------

    async def end(self, session: Session, why: str) -> None:
        """Nothing of it is left: sandbox, files, jobs, what they wrote, what is written down."""
        with anyio.CancelScope(shield=True):
            box, session.box = session.box, None
            try:
                if box is not None:
                    await self.let_go(box)
            finally:
                for job in session.jobs.values():
                    job.close()
                await self._forget(session.owner, session.id)
        self._note(f"session.{why}", _facts(session))

    async def bury(self, entry: Entry) -> None:
        """One in nobody's hands, and without a sandbox."""
        await self._forget(entry.owner, entry.id)
        self._note("session.expired", {"session": entry.name, "caller": entry.owner})

    async def drop_strangers(self) -> None:
        await self._resting.drop_strangers(lambda: frozenset(entry.id for entry in self._ledger.every()))

    async def _forget(self, owner: str, session_id: str) -> None:
        await self._resting.drop_files(owner, session_id)
        folder = self._folder / session_id
        await anyio.to_thread.run_sync(lambda: shutil.rmtree(folder, ignore_errors=True))
        self._ledger.strike(session_id)


def _facts(session: Session) -> dict[str, Any]:
    return {"session": session.name, "caller": session.owner}
