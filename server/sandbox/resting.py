"""How a session comes to rest, and back: first its sandbox is paused, later its files are kept as a snapshot and the
sandbox is gone."""

import logging
from collections.abc import Callable
from typing import Any, Final, Protocol

import anyio

from server.note import Note
from server.sandbox.sandbox import SandboxFailed, SandboxLost
from server.sandbox.session import Session
from server.sandbox.snapshot import Kind, NoSuchSnapshot, Snapshot, SnapshotFailed
from server.sandbox.snapshots import HasFiles

PARKED: Final[Kind] = "parked"

PATIENCE_S = 20.0  # of the engine, for one step


class Freezes(Protocol):
    async def freeze(self, sandbox_id: str) -> None: ...

    async def thaw(self, sandbox_id: str) -> None: ...

    async def forget(self, sandbox_id: str) -> None: ...


class Keeps(Protocol):
    """Snapshots; a parked one has the name of its session's id."""

    async def take(
        self,
        sandbox: HasFiles,
        owner: str,
        name: str,
        environment: str,
        kind: Kind = ...,
        *,
        to_the_end: bool = ...,
    ) -> Snapshot: ...

    def find(self, owner: str, name: str, kind: Kind = ...) -> Snapshot: ...

    def unused(self, kind: Kind, seconds: float) -> list[Snapshot]: ...

    async def delete(self, owner: str, name: str, kind: Kind = ...) -> None: ...


class Resting:
    """Each step is taken whole or not at all; whoever takes one has the session's turn."""

    def __init__(self, freezer: Freezes, keeper: Keeps, note: Note) -> None:
        self._freezer, self._keeper, self._note = freezer, keeper, note

    async def freeze(self, session: Session) -> None:
        """What runs in it stands still. Where the engine will not, it stays awake. Raises SandboxFailed.

        Where the engine is slow to say so it counts as frozen: whoever uses it has it woken.
        """
        sandbox = session.sandbox
        session.state = "frozen"  # from now on a call waits for its turn, and wakes it
        sandbox.frozen = True
        try:
            with anyio.CancelScope(shield=True), anyio.move_on_after(PATIENCE_S):  # past it, it may still be paused
                await self._freezer.freeze(sandbox.id)
        except SandboxFailed as exc:
            sandbox.frozen = False
            session.state = "live"
            raise SandboxFailed(f"session {session.name} cannot be frozen: {exc}") from exc
        self._note("session.frozen", _facts(session))

    async def thaw(self, session: Session) -> None:
        """Raises SandboxLost; SandboxFailed, and then it is frozen as before."""
        sandbox = session.sandbox
        with anyio.CancelScope(shield=True):
            await self._freezer.thaw(sandbox.id)
        sandbox.frozen = False
        session.state = "live"
        self._note("session.thawed", _facts(session))

    # --- parked ------------------------------------------------------------------------------------------------------

    async def keep_files(self, session: Session, *, to_the_end: bool) -> Snapshot:
        """Its files as they are; frozen first, so that a server that dies meanwhile leaves it to be woken.

        to_the_end: where it is cancelled, to wait a moment for what the engine is at. Raises SandboxFailed, and then it is frozen as before.
        """
        if session.state == "live":
            await self.freeze(session)
        session.state = "parking"
        try:
            return await self._keeper.take(
                session.sandbox, session.owner, session.id, session.spec.environment, PARKED, to_the_end=to_the_end
            )
        except SnapshotFailed as exc:
            raise SandboxFailed(f"session {session.name} cannot be parked: {exc}") from exc
        finally:
            session.state = "frozen"

    def kept_files(self, session: Session) -> Snapshot:
        """Raises SandboxLost where nothing of it is there any more."""
        try:
            return self._keeper.find(session.owner, session.id, PARKED)
        except NoSuchSnapshot as exc:
            raise SandboxLost("what was kept of it is not there any more") from exc

    async def drop_files(self, owner: str, session_id: str) -> None:
        """What was kept of a session that is over, if anything was; what the engine is too slow for goes with the strangers."""
        try:
            with anyio.move_on_after(PATIENCE_S):
                await self._keeper.delete(owner, session_id, PARKED)
        except NoSuchSnapshot:
            pass
        except SnapshotFailed as exc:
            log.warning("the files of a parked session stay until the engine answers again: %s", exc)

    async def drop_strangers(self, known: Callable[[], frozenset[str]]) -> None:
        """What was kept of sessions that are written down no more: `known` gives the ids of those that are."""
        found = self._keeper.unused(PARKED, 0)
        ids = known() if found else frozenset[str]()  # asked after: a session is written down before its files are kept
        for snapshot in found:
            if snapshot.name not in ids:
                await self.drop_files(snapshot.owner, snapshot.name)

    async def gone(self, sandbox_id: str) -> None:
        """That sandbox ends: nobody need wake it."""
        await self._freezer.forget(sandbox_id)


log = logging.getLogger("sandgate")


def _facts(session: Session) -> dict[str, Any]:
    return {"session": session.name, "caller": session.owner, "sandbox": session.box.id if session.box else ""}
