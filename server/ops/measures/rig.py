"""What is measured: an engine, sandboxes made as the server makes them, a server's inside, and how much of each."""

import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from server.ops.measures.row import Act, Row, Times, by_turns
from server.ops.measures.server import Home
from server.sandbox.bare_engine import BareEngine
from server.sandbox.demand import Demand
from server.sandbox.docker_engine import DockerEngine
from server.sandbox.docker_sandbox import DockerSandbox
from server.sandbox.egress_link import EgressLink
from server.sandbox.egress_wire import Event
from server.sandbox.gate import Gate
from server.sandbox.image_recipe import seccomp_file
from server.sandbox.pool import Pool
from server.sandbox.sandbox import Sandbox, SandboxSpec
from server.sandbox.surroundings import Surroundings
from server.settings.files import settings_files
from server.settings.settings import Settings
from server.wiring.egress import system_roots
from server.wiring.environments import environments
from server.wiring.workspaces import workspaces

GRACE_S: Final = 5.0
PATIENCE_S: Final = 60.0  # for sandboxes that are being made


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured. `calls` are of milliseconds, `starts` of a second; `crowds` are sessions at once."""

    calls: int
    starts: int
    crowds: tuple[int, ...]
    burst: tuple[int, int]  # claims at once, and sandboxes that are warm then
    output_mb: int
    kept_mb: int  # of files in a snapshot
    growth: tuple[int, ...]  # how often as much as at first


FULL: Final = Scale(200, 7, (1, 8, 32, 100), (50, 10), 400, 1000, (1, 10, 100))
QUICK: Final = Scale(20, 2, (1, 8), (8, 2), 50, 50, (1, 8))


@dataclass(frozen=True, slots=True)
class Rig:
    """What every measure is given."""

    settings: Settings
    engine_url: str
    folder: Path
    scale: Scale
    clock: Callable[[], float] = time.perf_counter
    program: tuple[str, ...] = field(default_factory=lambda: (sys.executable, "-P", str(Path(sys.argv[0]).resolve())))

    @property
    def spec(self) -> SandboxSpec:
        found = environments(self.settings, workspaces(self.settings, settings_files()))
        return found[self.settings.environment]

    @contextmanager
    def home(self) -> Iterator[Home]:
        """A machine of its own, as far as a server sees."""
        with tempfile.TemporaryDirectory(prefix="h", dir=self.folder) as folder:
            yield Home(Path(folder), self.engine_url, self.program)

    @contextmanager
    def bare(self) -> Iterator[BareEngine]:
        with BareEngine.at(self.engine_url) as bare:
            yield bare

    async def by_turns(
        self, ours: Act, theirs: Act | None, calls: int | None = None, turn: int = 10, rest_s: float = 0.0
    ) -> Times:
        return await by_turns(ours, theirs, calls or self.scale.calls, self.clock, turn, rest_s)

    @asynccontextmanager
    async def engine(self) -> AsyncGenerator[DockerEngine]:
        with tempfile.TemporaryDirectory(prefix="e", dir=self.folder) as folder:
            async with anyio.create_task_group() as tasks:
                engine = DockerEngine(
                    find=lambda: self.engine_url,
                    directory=Path(folder) / "s",
                    server_id="bench",
                    seccomp=seccomp_file(),
                    surroundings=Surroundings(),
                    grace_s=GRACE_S,
                    tasks=tasks,
                    weakened=_pass_over,
                )
                try:
                    yield engine
                finally:
                    await engine.close()
                    tasks.cancel_scope.cancel()

    @asynccontextmanager
    async def sandbox(self) -> AsyncGenerator[DockerSandbox]:
        async with self.engine() as engine:
            box = await engine.create(self.spec)
            try:
                yield box
            finally:
                await box.close()

    @asynccontextmanager
    async def pool(self, warm: int) -> AsyncGenerator["Stock"]:
        """Sandboxes ahead of demand behind a gate of their own, as a server has them; at most `warm` wait."""
        async with self.engine() as engine, anyio.create_task_group() as tasks:
            authority = engine.directory.parent / "ca"
            async with EgressLink(ca_dir=authority, on_event=_pass_by) as link:
                gate = Gate(link, engine.directory, authority / "ca.pem", system_roots(), tasks)
                stock = Stock(self.spec)
                at_once = self.settings.sandbox.made_at_once
                stock.pool = Pool(engine, gate, tasks, Demand(warm, most=warm), stock.note, at_once)
                try:
                    yield stock
                finally:
                    await stock.pool.close()
                    tasks.cancel_scope.cancel()


class Stock:
    """A pool, and how many wait in it."""

    pool: Pool

    def __init__(self, spec: SandboxSpec) -> None:
        self._spec, self._warm, self._news = spec, 0, anyio.Event()

    def note(self, kind: str, _: Sandbox) -> None:
        self._warm += {"sandbox.created": 1, "sandbox.claimed": -1}.get(kind, 0)
        self._news.set()
        self._news = anyio.Event()

    async def claim(self) -> Sandbox:
        return await self.pool.claim(self._spec, ())

    async def holds(self, wanted: int) -> None:
        """Returns when that many wait."""
        with anyio.fail_after(PATIENCE_S):
            while self._warm < wanted:
                await self._news.wait()


def _pass_by(event: Event) -> None:
    """Nothing of a bench's sandboxes goes out."""
    del event


def _pass_over(sentence: str) -> None:
    """What this machine lacks is doctor's to say; the bench measures with it."""
    del sentence


def in_thread[**P](blocking: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> Act:
    """An engine's blocking call as something to take the time of."""
    return partial(anyio.to_thread.run_sync, partial(blocking, *args, **kwargs))


@dataclass(frozen=True, slots=True)
class Measure:
    """Some rows that are taken together, under the first part of their ids; `seconds` is about how long that takes."""

    id: str
    seconds: float
    take: Callable[[Rig], Awaitable[list[Row]]]


def smaller(scale: Scale, calls: int) -> Scale:
    """At most that many calls of each kind."""
    return replace(scale, calls=min(scale.calls, calls), starts=min(scale.starts, calls))
