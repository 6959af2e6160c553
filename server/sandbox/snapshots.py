"""All snapshots of an installation: who has which, how long each is kept, and what becomes of its image."""

import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

import anyio
import anyio.to_thread

from server.note import Note
from server.sandbox.lock_file import LockFile
from server.sandbox.sandbox import MIB, SandboxSpec
from server.sandbox.snapshot import REPOSITORY, Committed, Kind, NoSuchSnapshot, Snapshot, SnapshotFailed, Tell, checked

LOCK: Final = "snapshots.lock"
LOOK_AGAIN_S: Final = 0.05
GIVEN_UP_S: Final = 5.0  # a commit that nobody wants any more is waited for; the engine may be at it for minutes
SETTLING_S: Final = 2.0  # whoever came first has been served by then
QUIET_S: Final = 60.0  # between two rounds of tidying
USED_EVERY_S: Final = 3600.0  # how exactly the last use is known: looking should not cost a write
SLACK: Final = 256 * MIB  # beside the disk limit: what is held to that is blocks, what is measured here is lengths

log = logging.getLogger("sandgate")


@dataclass(frozen=True, slots=True)
class Retention:
    """How many named snapshots a caller has, of how many bytes, and for how many seconds what nobody used is kept.

    Of seconds 0 is for ever.
    """

    each: int = 20
    each_bytes: int = 16384 * MIB
    named_s: float = 30 * 86400
    prepared_s: float = 30 * 86400


class HasFiles(Protocol):
    """A sandbox as far as its snapshot goes."""

    @property
    def id(self) -> str: ...

    @property
    def spec(self) -> SandboxSpec: ...


class Images(Protocol):
    """The engine's side. Its calls block: they are made in threads. Each raises SnapshotFailed."""

    def commit(self, sandbox_id: str, snapshot_id: str, most_bytes: int, tell: Tell) -> Committed: ...

    def remove(self, references: Iterable[str]) -> None: ...

    def sweep(self, known: frozenset[str]) -> list[str]: ...


class Records(Protocol):
    """The rows, shared by all servers of one installation. A caller's name is there once for each kind."""

    def put(self, row: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Insert; answers with the row that it replaced."""

    def all(self, **equal: str) -> list[Mapping[str, Any]]:
        """Oldest first."""

    def used(self, snapshot_id: str, when: float) -> None: ...

    def remove(self, snapshot_id: str) -> None: ...


class Snapshots:
    """All snapshots of one installation. `folder` is its state directory, where the lock between its servers lies."""

    def __init__(self, records: Records, images: Images, folder: Path, retention: Retention, note: Note) -> None:
        self._records, self._images, self._lock, self._note = records, images, LockFile(folder / LOCK), note
        self.retention = retention
        self._woken = anyio.Event()

    async def take(
        self,
        sandbox: HasFiles,
        owner: str,
        name: str,
        environment: str,
        kind: Kind = "named",
        tell: Tell = lambda _: None,
        *,
        to_the_end: bool = True,
    ) -> Snapshot:
        """Keep the sandbox's files as they are now; one of the same name is replaced. Raises SnapshotFailed.

        Nothing may move in the sandbox meanwhile. Cancelled, it leaves nothing: the engine cannot be stopped, and what it
        makes is removed then. to_the_end: to wait for that a moment nevertheless, so that things may move again afterwards.
        """
        made_id, name = secrets.token_hex(6), checked(name)
        most = sandbox.spec.disk_bytes + SLACK
        with await self._lock.shared() as lock:
            commit = partial(self._images.commit, sandbox.id, made_id, most, tell)
            made = await self._made(commit, made_id, lock, to_the_end=to_the_end)
            snapshot = Snapshot(
                id=made_id,
                name=name,
                owner=owner,
                kind=kind,
                image=made.image,
                environment=environment,
                size_bytes=made.size_bytes,
                created=time.time(),
                user=sandbox.spec.user,
                left_out=made.left_out,
            )
            await self._put(snapshot)
        return snapshot

    async def _made[T](self, make: Callable[[], T], made_id: str, lock: int, *, to_the_end: bool) -> T:
        remove = partial(self._images.remove, [f"{REPOSITORY}:{made_id}"])
        making = _Making(make, remove, lock)
        try:
            return await anyio.to_thread.run_sync(making, abandon_on_cancel=True)
        except anyio.get_cancelled_exc_class():
            is_there = making.give_up()
            with anyio.CancelScope(shield=True), anyio.move_on_after(GIVEN_UP_S), suppress(SnapshotFailed):
                if is_there:
                    await anyio.to_thread.run_sync(remove, abandon_on_cancel=True)
                while to_the_end and not making.over.is_set():  # noqa: ASYNC110 - a thread sets no event of ours
                    await anyio.sleep(LOOK_AGAIN_S)
            raise

    async def _put(self, snapshot: Snapshot) -> None:
        replaced = self._records.put(snapshot.row())
        self._note("snapshot.taken", snapshot.facts())
        if replaced is not None:
            before = Snapshot.of_row(replaced)
            self._note("snapshot.deleted", before.facts() | {"reason": "replaced"})
            await self._remove_image(before)

    # --- looking -----------------------------------------------------------------------------------------------------

    def find(self, owner: str, name: str, kind: Kind = "named") -> Snapshot:
        """Raises NoSuchSnapshot, also for one of somebody else."""
        rows = self._records.all(owner=owner, name=name, kind=kind)
        if not rows:
            known = ", ".join(snapshot.name for snapshot in self.of(owner)) or "none yet"
            raise NoSuchSnapshot(f"there is no snapshot {name!r:.80}; yours: {known}")
        if time.time() - float(rows[0]["used"]) > USED_EVERY_S:
            self._records.used(str(rows[0]["id"]), time.time())
        return Snapshot.of_row(rows[0])

    def of(self, owner: str, kind: Kind = "named") -> list[Snapshot]:
        """Oldest first."""
        return [Snapshot.of_row(row) for row in self._records.all(owner=owner, kind=kind)]

    def unused(self, kind: Kind, seconds: float) -> list[Snapshot]:
        """Those of all callers that nobody has used for so long."""
        now = time.time()
        return [Snapshot.of_row(row) for row in self._records.all(kind=kind) if now - float(row["used"]) >= seconds]

    def every(self) -> list[Snapshot]:
        """Of all callers and kinds, for the operator."""
        return [Snapshot.of_row(row) for row in self._records.all()]

    # --- going -------------------------------------------------------------------------------------------------------

    async def delete(self, owner: str, name: str, kind: Kind = "named") -> None:
        """Raises NoSuchSnapshot, and SnapshotFailed with nothing deleted where the engine is away."""
        snapshot = self.find(owner, name, kind)
        await self._drop(snapshot, "snapshot.deleted", "asked")

    def forget(self, snapshot: Snapshot) -> None:
        """Its image is not there any more, whoever took it."""
        self._records.remove(snapshot.id)
        self._note("snapshot.deleted", snapshot.facts() | {"reason": "its image is gone"})

    async def expire(self) -> list[Snapshot]:
        """Let go what retention does not keep; answers with it."""
        now, gone = time.time(), []
        for row in self._records.all():
            limit = {"named": self.retention.named_s, "prepared": self.retention.prepared_s, "parked": 0}[row["kind"]]
            if limit and now - float(row["used"]) > limit:
                gone.append((Snapshot.of_row(row), f"unused for {limit:.0f} s"))
        for snapshot, reason in gone:
            await self._drop(snapshot, "snapshot.expired", reason)
        return [snapshot for snapshot, _ in gone]

    async def make_room(self, owner: str) -> list[Snapshot]:
        """The oldest beyond what a caller may have give way, never the newest; answers with them."""
        kept = self.of(owner)
        gone = list[Snapshot]()
        while len(kept) > 1 and self._too_much(kept):
            await self._drop(kept[0], "snapshot.expired", "newer ones take its room")
            gone.append(kept.pop(0))
        return gone

    def _too_much(self, kept: Sequence[Snapshot]) -> bool:
        size = sum(snapshot.size_bytes for snapshot in kept)
        return len(kept) > self.retention.each or size > self.retention.each_bytes

    async def _drop(self, snapshot: Snapshot, kind: str, reason: str) -> None:
        await anyio.to_thread.run_sync(self._images.remove, [snapshot.image], abandon_on_cancel=True)
        self._records.remove(snapshot.id)
        self._note(kind, snapshot.facts() | {"reason": reason})

    async def _remove_image(self, snapshot: Snapshot) -> None:
        try:
            await anyio.to_thread.run_sync(self._images.remove, [snapshot.image], abandon_on_cancel=True)
        except SnapshotFailed:
            log.warning("the image of a replaced snapshot stays until the engine answers again", exc_info=True)

    # --- tidying -----------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """A sandbox came or went: there may be something to tidy."""
        self._woken.set()

    async def keep(self) -> None:
        """For as long as the server lives: retention and leftovers, once in a while and only where sandboxes are made."""
        while True:
            await self._woken.wait()
            await anyio.sleep(SETTLING_S)
            self._woken = anyio.Event()
            try:
                await self.expire()
                await self.sweep()
            except Exception as exc:  # noqa: BLE001 - an engine that is away, a folder that takes no writes, a full audit
                log.warning("snapshots are not tidied: %s", exc)
            await anyio.sleep(QUIET_S)

    async def sweep(self) -> list[str]:
        """Remove images that no record names; not while any server of this installation takes a snapshot."""
        return await anyio.to_thread.run_sync(self._sweep, abandon_on_cancel=True)

    def _sweep(self) -> list[str]:
        with self._lock.alone() as alone:
            if not alone:
                return []
            return self._images.sweep(frozenset(str(row["image"]) for row in self._records.all()))


class _Making[T]:
    """A commit in a thread, which may outlast whoever wants it: nobody sweeps before it has removed what it made."""

    def __init__(self, make: Callable[[], T], remove: Callable[[], None], lock: int) -> None:
        self._make, self._remove, self._held = make, remove, os.dup(lock)
        self._turn, self._is_begun, self._is_made, self._is_unwanted = threading.Lock(), False, False, False
        self.over = threading.Event()

    def __call__(self) -> T:
        with self._turn:
            if self._is_unwanted:
                raise SnapshotFailed("nobody wants it any more")
            self._is_begun = True
        try:
            made = self._make()
            with self._turn:
                self._is_made, unwanted = True, self._is_unwanted
            if unwanted:
                self._remove()
            return made
        finally:
            os.close(self._held)
            self.over.set()

    def give_up(self) -> bool:
        """Whether it was made before, so that whoever gives it up removes it. Once."""
        with self._turn:
            self._is_unwanted = True
            if not self._is_begun:  # and will not begin
                os.close(self._held)
                self.over.set()
            return self._is_made
