"""Folders of the host copied into sandboxes: a source of sandboxes around another, whose claims come with the files.

The files go in through the engine, as an archive, into a sandbox that nobody has used yet: there is nobody inside who
could trick the unpacking. What comes out later is read by a process of the sandbox's own user, never by root.
"""

import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from os import fstat
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from server.sandbox.egress_link import AllowEntry
from server.sandbox.excludes import excludes
from server.sandbox.host_folder import Held, Swapped, opened
from server.sandbox.manifest import INSIDE, Sent, seal, unseal
from server.sandbox.sandbox import MIB, Copy, Sandbox, SandboxFailed, SandboxLost, SandboxSpec
from server.sandbox.sending import Sending
from server.sandbox.source import Source
from server.sandbox.survey import Survey, TooMuch, survey

MAX_RECORD: Final = 64 * MIB
SHOWN: Final = 5  # names of what could not be read


@dataclass(frozen=True, slots=True)
class Copying:
    """How far a copy is. `done` of `total` files; both 0 while the folder is still looked through."""

    source: str
    done: int = 0
    total: int = 0
    megabytes: int = 0

    def __str__(self) -> str:
        if not self.total:
            return f"looking through {self.source}"
        return f"copying {self.source}: {self.done} of {self.total} files, {self.megabytes} MB"


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
    """`key` seals what was sent. `note` is told of each copy that arrived."""

    def __init__(self, source: Source, key: bytes, note: Callable[[Arrived], None]) -> None:
        self._source, self._key, self._note = source, key, note
        self._under_way: list[Callable[[], Copying]] = []

    @property
    def now(self) -> Copying | None:
        """The copy that was begun last of those under way."""
        return self._under_way[-1]() if self._under_way else None

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

    async def adopt(self, spec: SandboxSpec, sandbox_id: str, key: str, allow: tuple[AllowEntry, ...]) -> Sandbox:
        """Its folders came with it."""
        return await self._source.adopt(spec, sandbox_id, key, allow)

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
            raise TooMuch(f"the names of what is in it come to {len(record) // MIB} MB; lend a folder in it")
        await sandbox.put(_file(INSIDE, record))

    async def _one(self, sandbox: Sandbox, copy: Copy, spec: SandboxSpec) -> Sent:
        with ExitStack() as stack:
            root = stack.enter_context(opened(Path(copy.source), (copy.device, copy.inode)))
            stack.enter_context(self._shown(lambda: Copying(copy.source)))
            found = await _look(root, copy, spec)
            sending = Sending(Held(root), copy.target, spec.user)
            stack.enter_context(self._shown(lambda: _how_far(copy, sending, found)))
            mode = stat.S_IMODE(fstat(root).st_mode) & 0o777
            try:
                await sandbox.put(sending.stream(mode, found.items))
            finally:
                sending.stopped = True
        unread = (*found.unread, *sending.unread)
        self._note(Arrived(copy.source, sending.files, sending.total, found.ignored, found.special, unread[:SHOWN]))
        return Sent(copy.source, copy.target, sending.entries)

    @contextmanager
    def _shown(self, step: Callable[[], Copying]) -> Iterator[None]:
        self._under_way.append(step)
        try:
            yield
        finally:
            self._under_way.remove(step)


def _how_far(copy: Copy, sending: Sending, found: Survey) -> Copying:
    return Copying(copy.source, sending.files, len(found.items), sending.total // MIB)


async def _look(root: int, copy: Copy, spec: SandboxSpec) -> Survey:
    """Raises TooMuch before anything is sent that would not fit."""

    def look(held: Held) -> Survey:
        return survey(held.handle, None if copy.whole else excludes(Path(copy.source)))

    found = await anyio.to_thread.run_sync(look, Held(root), abandon_on_cancel=True)
    if found.total > spec.disk_bytes:
        raise TooMuch(
            f"{copy.source} holds {found.total // MIB} MB that git does not ignore, and a session's disk is "
            f"{spec.disk_bytes // MIB} MB; add what is not needed to .gitignore, or lend it with :ro or :rw"
        )
    return found


def _file(path: str, content: bytes) -> Iterator[bytes]:
    """One file of root's that everyone may read."""
    head = tarfile.TarInfo(path.strip("/"))
    head.size, head.mode = len(content), 0o444
    yield head.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)
