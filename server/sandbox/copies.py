"""Folders of the host copied into sandboxes: a source of sandboxes around another, whose claims come with the files.

The files go in through the engine, as an archive, into a sandbox that nobody has used yet: there is nobody inside who
could trick the unpacking. What comes out later is read by a process of the sandbox's own user, never by root.
"""

import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from os import fstat
from pathlib import Path
from typing import Final, Protocol

import anyio
import anyio.to_thread

from server.sandbox.egress_link import AllowEntry
from server.sandbox.host_folder import Held, Swapped, opened
from server.sandbox.manifest import INSIDE, Sent, seal, unseal
from server.sandbox.sandbox import MIB, Copy, Sandbox, SandboxFailed, SandboxLost, SandboxSpec
from server.sandbox.sending import Sending
from server.sandbox.survey import Survey, TooMuch, survey

MAX_RECORD: Final = 64 * MIB
LOOK_AGAIN_S: Final = 0.2
SHOWN: Final = 5  # names of what could not be read

type Tell = Callable[[str], None]


class Source(Protocol):
    """Where sandboxes come from: the pool."""

    async def claim(self, spec: SandboxSpec, allow: tuple[AllowEntry, ...], *, alone: bool = False) -> Sandbox: ...

    async def release(self, sandbox: Sandbox) -> None: ...

    def bind(self, sandbox: Sandbox, allow: tuple[AllowEntry, ...]) -> None: ...

    def calls(self, sandbox: Sandbox, decisions: tuple[str, ...]) -> None: ...


@dataclass(frozen=True, slots=True)
class Arrived:
    """What came of one copy, for the record and for whoever asked."""

    source: str
    files: int
    bytes: int
    ignored: int
    special: int
    unread: tuple[str, ...]


class Copies:
    """`key` seals what was sent. `note` is told of each copy that arrived, `tell` how far one is."""

    def __init__(self, source: Source, key: bytes, note: Callable[[Arrived], None], tell: Tell) -> None:
        self._source, self._key, self._note, self._tell = source, key, note, tell

    async def claim(self, spec: SandboxSpec, allow: tuple[AllowEntry, ...], *, alone: bool = False) -> Sandbox:
        """A sandbox with the folders in it, unless it was made from a snapshot that has them. Raises SandboxFailed."""
        sandbox = await self._source.claim(spec, allow, alone=alone)
        if not spec.copies:
            return sandbox
        try:
            if await sandbox.ours(INSIDE, 1) is None:
                await self._bring(sandbox, spec)
        except BaseException as exc:
            with anyio.CancelScope(shield=True):
                await self._source.release(sandbox)
            if isinstance(exc, OSError | Swapped | TooMuch | SandboxLost):
                raise SandboxFailed(f"the workspace could not be copied: {exc}") from exc
            raise
        return sandbox

    async def release(self, sandbox: Sandbox) -> None:
        await self._source.release(sandbox)

    def bind(self, sandbox: Sandbox, allow: tuple[AllowEntry, ...]) -> None:
        self._source.bind(sandbox, allow)

    def calls(self, sandbox: Sandbox, decisions: tuple[str, ...]) -> None:
        self._source.calls(sandbox, decisions)

    async def sent(self, sandbox: Sandbox) -> tuple[Sent, ...]:
        """What was copied into that sandbox, or into the one it was forked from. Raises NotOurs."""
        record = await sandbox.ours(INSIDE, MAX_RECORD)
        return () if record is None else await anyio.to_thread.run_sync(unseal, record, self._key)

    # --- bringing ----------------------------------------------------------------------------------------------------

    async def _bring(self, sandbox: Sandbox, spec: SandboxSpec) -> None:
        sent = []
        for copy in spec.copies:
            entries = await self._one(sandbox, copy, spec)
            if not copy.whole:
                sent.append(entries)
        record = await anyio.to_thread.run_sync(seal, tuple(sent), self._key)
        if len(record) > MAX_RECORD:
            raise TooMuch(f"the names of what is in it come to {len(record) // MIB} MB")
        await sandbox.put(_file(INSIDE, record))

    async def _one(self, sandbox: Sandbox, copy: Copy, spec: SandboxSpec) -> Sent:
        with ExitStack() as stack:
            root = stack.enter_context(opened(Path(copy.source), (copy.device, copy.inode)))
            found = await self._look(root, copy, spec)
            sending = Sending(Held(root), copy.target, spec.user)
            mode = stat.S_IMODE(fstat(root).st_mode) & 0o777
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._say, copy, sending, found)
                try:
                    await sandbox.put(sending.stream(mode, found.items))
                finally:
                    sending.stopped = True
                    tasks.cancel_scope.cancel()
        unread = (*found.unread, *sending.unread)
        self._note(Arrived(copy.source, sending.files, sending.total, found.ignored, found.special, unread[:SHOWN]))
        return Sent(copy.source, copy.target, sending.entries)

    async def _look(self, root: int, copy: Copy, spec: SandboxSpec) -> Survey:
        def look(held: Held) -> Survey:
            tell = lambda count: self._tell(f"{copy.source}: {count} files so far")  # noqa: E731
            return survey(held.handle, ignoring=not copy.whole, tell=tell)

        found = await anyio.to_thread.run_sync(look, Held(root), abandon_on_cancel=True)
        if found.total > spec.disk_bytes:
            raise TooMuch(
                f"{copy.source} holds {found.total // MIB} MB that git does not ignore, and a session's disk is "
                f"{spec.disk_bytes // MIB} MB; add what is not needed to .gitignore, or lend it with :ro or :rw"
            )
        return found

    async def _say(self, copy: Copy, sending: Sending, found: Survey) -> None:
        while True:
            await anyio.sleep(LOOK_AGAIN_S)
            self._tell(
                f"copying {copy.source}: {sending.files} of {len(found.items)} files, "
                f"{sending.total // MIB} of {found.total // MIB} MB"
            )


def _file(path: str, content: bytes) -> Iterator[bytes]:
    """One file of root's that everyone may read."""
    head = tarfile.TarInfo(path.strip("/"))
    head.size, head.mode = len(content), 0o444
    yield head.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)
