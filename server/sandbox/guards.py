"""Writable folders, as well as they can be kept from running code on their host: a source of sandboxes around the pool.

At each claim what is protected is looked for anew and mounted read-only; after each command what is new of it is moved
aside. Between the two a command can leave it for a moment, and what a person runs from such a folder is theirs to read.
"""

import logging
from dataclasses import replace

import anyio
import anyio.to_thread

from server.note import Note
from server.sandbox.egress_link import AllowEntry
from server.sandbox.host_folder import Swapped
from server.sandbox.protected import Linked, Moved, guards, move_aside
from server.sandbox.sandbox import Mount, Sandbox, SandboxFailed, SandboxSpec
from server.sandbox.session import Session
from server.sandbox.source import Source

LOOK_AGAIN_S = 2.0

log = logging.getLogger("sandgate")


class Guards:
    """`note` is told of each path that was moved aside."""

    def __init__(self, source: Source, note: Note) -> None:
        self._source, self._note = source, note
        self._known: dict[str, frozenset[str]] = {}  # by sandbox: targets of what was there when it was made
        self._running: dict[str, Session] = {}  # with commands that outlived their calls
        self._one_at_a_time = anyio.Lock()

    async def claim(self, spec: SandboxSpec, allow: tuple[AllowEntry, ...], *, alone: bool = False) -> Sandbox:
        """Raises SandboxFailed where a protected path of a writable folder is a link."""
        if not _writable(spec):
            return await self._source.claim(spec, allow, alone=alone)
        guarded = replace(spec, guards=await self._look(spec))
        sandbox = await self._source.claim(guarded, allow, alone=alone)
        self._known[sandbox.id] = frozenset(guard.target for guard in guarded.guards)
        return sandbox

    async def _look(self, spec: SandboxSpec) -> tuple[Mount, ...]:
        try:
            found = [await anyio.to_thread.run_sync(guards, mount) for mount in _writable(spec)]
        except (Linked, Swapped) as exc:
            raise SandboxFailed(str(exc)) from exc
        except OSError as exc:
            raise SandboxFailed(f"a writable folder cannot be looked through: {exc.strerror}") from exc
        return tuple(guard for guards_of_one in found for guard in guards_of_one)

    async def keep(self) -> None:
        """For as long as the server lives: what commands do whose calls have long been answered is looked at as well."""
        while True:
            await anyio.sleep(LOOK_AGAIN_S)
            for session in list(self._running.values()):
                await self._after_again(session)

    async def _after_again(self, session: Session) -> None:
        """Nobody waits for this look: where it fails, the next one or the next call says so."""
        try:
            await self.after(session)
        except Exception:  # such as a record that cannot be written; that ends calls, not the sessions of others
            log.exception("what a command left in a writable folder could not be looked after")

    async def after(self, session: Session) -> None:
        """What the session's commands left that a host would run is moved, and the session's caller told so."""
        if session.box is None or session.box.id not in self._known:
            self._running.pop(session.id, None)
            return
        if any(job.has_processes for job in session.jobs.values()):
            self._running[session.id] = session
        else:
            self._running.pop(session.id, None)
        known = self._known[session.box.id]
        for mount in _writable(session.spec):
            for moved in await self._move(mount, known):
                self._note("workspace.moved_aside", {"path": moved.path, "to": moved.aside, "reason": moved.why})
                session.remarks.append(_sentence(moved))

    async def _move(self, mount: Mount, known: frozenset[str]) -> list[Moved]:
        own = {target.removeprefix(f"{mount.target}/") for target in known if target.startswith(f"{mount.target}/")}
        async with self._one_at_a_time:
            try:
                return await anyio.to_thread.run_sync(move_aside, mount, own)
            except (Swapped, OSError) as exc:
                log.warning("%s could not be looked through after a command: %s", mount.source, exc)
                return []

    async def adopt(self, spec: SandboxSpec, sandbox_id: str, key: str, allow: tuple[AllowEntry, ...]) -> Sandbox:
        """What is there by now was there, as far as anybody can tell: it is left where it is."""
        found = frozenset(guard.target for guard in await self._look(spec)) if _writable(spec) else None
        sandbox = await self._source.adopt(spec, sandbox_id, key, allow)
        if found is not None:
            self._known[sandbox_id] = found
        return sandbox

    async def release(self, sandbox: Sandbox) -> None:
        self._known.pop(sandbox.id, None)
        await self._source.release(sandbox)

    def bind(self, sandbox: Sandbox, allow: tuple[AllowEntry, ...]) -> None:
        self._source.bind(sandbox, allow)

    def calls(self, sandbox: Sandbox, decisions: tuple[str, ...]) -> None:
        self._source.calls(sandbox, decisions)


def _writable(spec: SandboxSpec) -> tuple[Mount, ...]:
    return tuple(mount for mount in spec.mounts if not mount.read_only)


def _sentence(moved: Moved) -> str:
    if not moved.aside:
        return f"{moved.path} is new, a host runs what is there, and it could not be moved aside: {moved.why}"
    return f"{moved.path} is new and a host runs what is there: moved to {moved.aside}; a person can move it back"
