"""How a session comes to rest, and back: frozen where it is, its sandbox paused."""

from collections.abc import Mapping
from typing import Any, Protocol

import anyio

from server.sandbox.sandbox import SandboxFailed
from server.sandbox.session import Session

PATIENCE_S = 20.0  # of the engine, for one step


class Freezes(Protocol):
    async def freeze(self, sandbox_id: str) -> None: ...

    async def thaw(self, sandbox_id: str) -> None: ...

    async def forget(self, sandbox_id: str) -> None: ...


class Notes(Protocol):
    """A line of the audit."""

    def __call__(self, kind: str, fields: Mapping[str, Any], /) -> None: ...


class Resting:
    """Each step is taken whole or not at all; whoever takes one has the session's turn."""

    def __init__(self, freezer: Freezes, note: Notes) -> None:
        self._freezer, self._note = freezer, note

    async def freeze(self, session: Session) -> None:
        """What runs in it stands still. Where the engine will not, it stays awake. Raises SandboxFailed."""
        sandbox = session.sandbox
        session.state = "frozen"  # from now on a call waits for its turn, and wakes it
        sandbox.frozen = True
        try:
            with anyio.CancelScope(shield=True), anyio.fail_after(PATIENCE_S):
                await self._freezer.freeze(sandbox.id)
        except (SandboxFailed, TimeoutError) as exc:
            sandbox.frozen = False
            session.state = "live"
            raise SandboxFailed(f"session {session.name} cannot be frozen: {exc}") from exc
        self._note("session.frozen", _facts(session))

    async def thaw(self, session: Session) -> None:
        """Raises SandboxLost."""
        sandbox = session.sandbox
        with anyio.CancelScope(shield=True):
            await self._freezer.thaw(sandbox.id)
        sandbox.frozen = False
        session.state = "live"
        self._note("session.thawed", _facts(session))

    async def gone(self, sandbox_id: str) -> None:
        """That sandbox ends: nobody need wake it."""
        await self._freezer.forget(sandbox_id)


def _facts(session: Session) -> dict[str, Any]:
    return {"session": session.name, "caller": session.owner, "sandbox": session.box.id if session.box else ""}
