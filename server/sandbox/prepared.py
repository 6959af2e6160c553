"""Environments with setup commands: run once, as the operator, and kept as a snapshot that their sessions start from."""

import hashlib
import json
import logging
import shlex
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol

import anyio
import anyio.abc
import anyio.to_thread

from policy.verdict import Ask, Denied
from server.sandbox.cached_files import BadCachedFile, read_all
from server.sandbox.jobs import Job
from server.sandbox.lock_file import LockFile
from server.sandbox.room import Full
from server.sandbox.sandbox import FileRefused, SandboxFailed, SandboxLost, SandboxSpec
from server.sandbox.snapshot import ImageGone, NoSuchSnapshot, Snapshot, SnapshotFailed

OPERATOR: Final = "operator"  # who runs setup commands: no client's caller has this id
LOCK: Final = "prepared.lock"
PATIENCE_S: Final = 45.0  # a client gives up on a call after 60 s
LOOK_AGAIN_S: Final = 0.25
TRUST_S: Final = 30.0  # how long the engine is not asked again which image a name stands for
SHOWN: Final = 2_000  # characters of a failed command's output
FORMAT: Final = 1  # of the key; another number prepares all anew

type Progress = Callable[[Job], Coroutine[Any, Any, None]]

log = logging.getLogger("sandgate")


class PreparationFailed(Exception):
    """An environment's setup did not come to its end; nothing of it is kept, and the sentence shows what it said."""


class StillPreparing(Exception):
    """An environment's setup takes longer than a call waits; it goes on, and the next call finds it further."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an operator wrote about an environment. `cache_on` is relative to `root`, a folder of the operator's.

    secrets: those that everybody's sessions have, for everybody has the result.
    """

    environment: str
    setup: tuple[str, ...] = ()
    cache_on: tuple[str, ...] = ()
    root: Path | None = None
    timeout_s: float = 900.0
    secrets: tuple[str, ...] = ()

    def files(self) -> dict[str, bytes]:
        """Raises BadCachedFile."""
        return read_all(self.root, self.cache_on) if self.root else {}


class Bench(Protocol):
    """A sandbox of the operator's, open for as long as setup takes. All that is done in it is judged and recorded."""

    async def put(self, name: str, content: bytes) -> None: ...

    async def run(self, command: str, timeout_s: float, progress: Progress) -> Job: ...

    async def keep(self, name: str) -> Snapshot: ...


class Workshop(Protocol):
    def open(self, spec: SandboxSpec) -> AbstractAsyncContextManager[Bench]: ...


class Kept(Protocol):
    def find(self, owner: str, name: str, kind: Any = ...) -> Snapshot: ...

    def forget(self, snapshot: Snapshot) -> None: ...


type Identify = Callable[[str], str]  # an image's digest by its name; blocks


@dataclass
class _Making:
    """One preparation at work, and whoever waits for it."""

    environment: str
    step: str = ""
    job: Job | None = None
    snapshot: Snapshot | None = None
    failure: str = ""
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    over: anyio.Event = field(default_factory=anyio.Event)
    moved: anyio.Event = field(default_factory=anyio.Event)

    async def follow(self, job: Job) -> None:
        """The progress of each command, as the path reports it: whoever waits is shown that job."""
        self.job = job
        self.moved.set()
        self.moved = anyio.Event()
        await anyio.sleep_forever()

    async def wait(self, progress: Progress) -> Snapshot:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._show, progress)
            with anyio.move_on_after(PATIENCE_S):
                await self.over.wait()
            tasks.cancel_scope.cancel()
        if self.failure:  # also what a caller who came later reads: it is over, and the next call tries anew
            raise PreparationFailed(self.failure)
        if self.snapshot is None:
            raise StillPreparing(
                f"environment {self.environment} is still being prepared ({self.step}); it goes on, call again in a moment"
            )
        return self.snapshot

    async def _show(self, progress: Progress) -> None:
        while True:
            if self.job is not None and self.job.end is None:
                await progress(self.job)
            else:
                await self.moved.wait()


class Prepared:
    """`folder` is the state directory: two servers of one installation that want the same make it once."""

    def __init__(
        self,
        recipes: Mapping[str, Recipe],
        kept: Kept,
        identify: Identify,
        workshop: Workshop,
        folder: Path,
        tasks: anyio.abc.TaskGroup,
    ) -> None:
        self._recipes, self._kept, self._identify, self._workshop = recipes, kept, identify, workshop
        self._lock, self._tasks = LockFile(folder / LOCK), tasks
        self._making: dict[str, _Making] = {}
        self._digests: dict[str, tuple[str, float]] = {}

    async def ready(self, spec: SandboxSpec, progress: Progress) -> SandboxSpec:
        """How a sandbox of that environment is made, prepared first where it was not yet.

        Raises PreparationFailed, and StillPreparing after 45 s; a caller who gives up does not end it for others.
        """
        recipe = self._recipes.get(spec.environment)
        if recipe is None or not recipe.setup:
            return spec
        try:
            files = await anyio.to_thread.run_sync(recipe.files) if recipe.cache_on else {}
            key = _key(recipe, spec, await self._digest(spec.image), files)
            snapshot = await self._find(key)
        except (BadCachedFile, SnapshotFailed) as exc:
            raise PreparationFailed(f"environment {spec.environment} cannot be prepared: {exc}") from exc
        if snapshot is None:
            making = self._making.get(key) or self._begin(key, recipe, spec, files)
            snapshot = await making.wait(progress)
        return snapshot.spec(spec)

    async def stop(self) -> None:
        """End what is at work; nothing of it stays."""
        for making in list(self._making.values()):
            making.scope.cancel()
            await making.over.wait()

    async def _find(self, key: str) -> Snapshot | None:
        """As recorded, and still there: an engine's prune takes what it likes."""
        try:
            snapshot = self._kept.find(OPERATOR, key, "prepared")
        except NoSuchSnapshot:
            return None
        try:
            await self._digest(snapshot.image)
        except ImageGone:
            self._kept.forget(snapshot)
            return None
        return snapshot

    async def _digest(self, image: str) -> str:
        digest, until = self._digests.get(image, ("", 0.0))
        if time.monotonic() > until:
            digest = await anyio.to_thread.run_sync(self._identify, image)
            self._digests[image] = digest, time.monotonic() + TRUST_S
        return digest

    # --- making ------------------------------------------------------------------------------------------------------

    def _begin(self, key: str, recipe: Recipe, spec: SandboxSpec, files: Mapping[str, bytes]) -> _Making:
        making = self._making[key] = _Making(spec.environment, "another server is at it, or it is about to begin")
        self._tasks.start_soon(self._make, making, key, recipe, spec, files)
        return making

    async def _make(
        self, making: _Making, key: str, recipe: Recipe, spec: SandboxSpec, files: Mapping[str, bytes]
    ) -> None:
        try:
            with making.scope:
                await self._made(making, key, recipe, spec, files)
            if making.scope.cancelled_caught:
                making.failure = f"environment {spec.environment} is not prepared yet, and this server ends"
        finally:
            del self._making[key]
            making.over.set()

    async def _made(
        self, making: _Making, key: str, recipe: Recipe, spec: SandboxSpec, files: Mapping[str, bytes]
    ) -> None:
        try:
            async with self._lock.once_alone(LOOK_AGAIN_S):
                making.snapshot = await self._find(key) or await self._run(making, key, recipe, spec, files)
        except Denied as exc:
            making.failure = f"environment {spec.environment} cannot be prepared: {making.step}: {_refused(exc)}"
        except (PreparationFailed, SandboxFailed, SandboxLost, SnapshotFailed, FileRefused, Full, OSError) as exc:
            making.failure = f"environment {spec.environment} could not be prepared: {making.step}: {exc}"
        except Exception as exc:  # whoever waits must be told, whatever it was, and the server goes on without it
            log.exception("environment %s could not be prepared", spec.environment)
            making.failure = f"environment {spec.environment} could not be prepared: {making.step}: {exc}"

    async def _run(
        self, making: _Making, key: str, recipe: Recipe, spec: SandboxSpec, files: Mapping[str, bytes]
    ) -> Snapshot:
        """In a sandbox without any workspace: what is not in `files` cannot be in the result either."""
        making.step = "making its sandbox"
        plain = replace(spec, mounts=(), copies=(), guards=(), secrets=recipe.secrets)
        async with self._workshop.open(plain) as bench:
            for name, content in files.items():
                making.step = f"putting {name}"
                await bench.put(name, content)
            for number, command in enumerate(recipe.setup, 1):
                making.step = f"setup {number} of {len(recipe.setup)}, `{command[:200]}`"
                _check(await bench.run(command, recipe.timeout_s, making.follow), recipe.timeout_s)
            making.step = "keeping its files"
            return await bench.keep(key)


def _key(recipe: Recipe, spec: SandboxSpec, image: str, files: Mapping[str, bytes]) -> str:
    """What the result depends on. Not the network: what is allowed later does not change what was fetched."""
    facts = {
        "format": FORMAT,
        "environment": recipe.environment,
        "image": image,
        "setup": recipe.setup,
        "user": spec.user,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:40]


def _check(job: Job, timeout_s: float) -> None:
    """Raises PreparationFailed with the end of what the command said."""
    end = job.end
    if end is not None and end.exit_code == 0:
        return
    how = f"exited with {end.exit_code}" if end and end.exit_code is not None else f"ended as {job.status}"
    how = f"took longer than {timeout_s:g} s (setup_timeout_s)" if job.status == "timed_out" else how
    said = "".join(_tail(job, stream) for stream in ("stdout", "stderr")).strip()
    hosts = "".join(f"\n[the gate {each}]" for each in job.gate_said)
    raise PreparationFailed(f"it {how}. Nothing of it is kept. It said:\n{said or '(nothing)'}{hosts}")


def _tail(job: Job, stream: Any) -> str:
    spool = job.streams[stream]
    start = max(0, spool.total - SHOWN)
    return spool.read(start, spool.total - start).data.decode("utf-8", "replace")


def _refused(exc: Denied) -> str:
    """The rules that said no, and how a person says yes."""
    effect = "ask" if isinstance(exc.verdict, Ask) else "deny"
    rules = [rule for rule in exc.verdict.rules if rule.effect == effect]
    told = "; ".join(f"{rule.reason} [{rule.id}] {rule.help}".rstrip() for rule in rules[:3])
    grants = " and ".join(dict.fromkeys(f"`sandgate allow {shlex.quote(rule.grant)}`" for rule in rules if rule.grant))
    how = f". A person can allow it with: {grants}; then call again" if grants else ""
    return (
        f"the policy does not let it run: {told.removesuffix('.') if how else told}{how} (decision {exc.decision_id})"
    )
