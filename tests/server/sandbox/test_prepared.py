"""When setup runs, how often, and what is said of it: real rows, locks and files, a bench that only writes down."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
import anyio.abc
import pytest

from policy.verdict import Allow, Ask, Denied, Rule
from server.sandbox import prepared
from server.sandbox.jobs import Job
from server.sandbox.prepared import OPERATOR, PreparationFailed, Prepared, Progress, Recipe, StillPreparing
from server.sandbox.sandbox import Exit, Mount, SandboxSpec
from server.sandbox.snapshot import ImageGone, Snapshot, SnapshotFailed
from server.sandbox.snapshots import Snapshots
from tests.fakes import FakeImages, FakeSandbox, snapshots
from tests.waiting import PATIENCE_S, eventually

pytestmark = pytest.mark.anyio

SPEC = SandboxSpec(image="python", environment="data", user=(1234, 99))
NO = Denied(
    Ask((Rule("network.pipe", "ask", "it runs what it fetched", "Fetch, read, run.", grant="curl"),), Allow()), "d-7"
)


async def unseen(job: Job) -> None:
    await anyio.sleep_forever()


@dataclass
class World:
    """Two of its servers share the folder. `says` and `fails` are by command."""

    folder: Path
    setup: tuple[str, ...] = ("pip install a", "make data")
    says: Mapping[str, bytes] = field(default_factory=dict)
    fails: Mapping[str, Exit | Exception] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    opened: list[SandboxSpec] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=lambda: {"python": "sha256:1"})
    engine_answers: bool = True
    held: anyio.Event = field(default_factory=anyio.Event)
    images: FakeImages = field(default_factory=FakeImages)

    def __post_init__(self) -> None:
        self.held.set()
        self.kept: Snapshots = snapshots(self.folder / "state", self.images)
        self.project = self.folder / "project"
        self.project.mkdir()
        (self.project / "lock").write_text("1")

    def server(self, tasks: anyio.abc.TaskGroup) -> Prepared:
        recipe = Recipe("data", self.setup, ("lock", "not/there"), self.project)
        return Prepared({"data": recipe}, self.kept, self.identify, self, self.folder / "state", tasks)

    def identify(self, image: str) -> str:
        if not self.engine_answers:
            raise SnapshotFailed("the engine is away")
        if image in self.images.images:
            return f"sha256:{image}"
        if image not in self.digests:
            raise ImageGone(f"the engine has no image {image}")
        return self.digests[image]

    @asynccontextmanager
    async def open(self, spec: SandboxSpec) -> AsyncGenerator["Bench"]:
        self.done.append(f"open {spec.image}")
        self.opened.append(spec)
        try:
            yield Bench(self, spec)
        finally:
            self.done.append("gone")


@dataclass
class Bench:
    world: World
    spec: SandboxSpec

    async def put(self, name: str, content: bytes) -> None:
        self.world.done.append(f"put {name}={content.decode()}")

    async def run(self, command: str, timeout_s: float, progress: Progress) -> Job:
        self.world.done.append(f"run {command}")
        job = Job("j1", command, self.world.folder / "out", "d-1", lambda end: None)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(progress, job)
            await self.world.held.wait()
            tasks.cancel_scope.cancel()
        end = self.world.fails.get(command, Exit("exited", 0))
        if isinstance(end, Exception):
            raise end
        job.write(2, self.world.says.get(command, b""))
        job.ended(end)
        return job

    async def keep(self, name: str) -> Snapshot:
        self.world.done.append("keep")
        return await self.world.kept.take(FakeSandbox(spec=self.spec), OPERATOR, name, "data", "prepared")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture(autouse=True)
def always_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "TRUST_S", -1)
    monkeypatch.setattr(prepared, "LOOK_AGAIN_S", 0.01)


async def ready(world: World, spec: SandboxSpec = SPEC) -> SandboxSpec:
    """By a server of its own: what it knows comes from the records alone."""
    async with anyio.create_task_group() as tasks:
        return await world.server(tasks).ready(spec, unseen)
    raise AssertionError


async def failing(world: World) -> str:
    async with anyio.create_task_group() as tasks:
        with pytest.raises(PreparationFailed) as failed:
            await world.server(tasks).ready(SPEC, unseen)
    return str(failed.value)


async def test_setup_runs_once_with_the_files_it_depends_on_and_a_second_server_finds_it_done(world: World) -> None:
    first = await ready(world)

    assert world.done == ["open python", "put lock=1", "run pip install a", "run make data", "keep", "gone"]
    (image,) = world.images.images
    assert first == replace(SPEC, image=image)
    assert await ready(world) == first
    assert len(world.done) == 6


async def test_an_environment_without_setup_is_as_it_is(world: World) -> None:
    plain = replace(SPEC, environment="python")

    assert await ready(world, plain) == plain
    assert world.done == []


async def test_setup_sees_no_folder_of_the_host_and_its_sessions_do(world: World) -> None:
    lent = replace(SPEC, mounts=(Mount("/home/me/project", "/home/me/project", read_only=False, device=1, inode=2),))

    assert (await ready(world, lent)).mounts == lent.mounts
    assert [spec.mounts for spec in world.opened] == [()]


@pytest.mark.parametrize(
    "change",
    [
        lambda world: (world.project / "lock").write_text("2"),
        lambda world: world.digests.update(python="sha256:2"),
        lambda world: setattr(world, "setup", ("pip install b",)),
        lambda world: ((world.project / "not").mkdir(), (world.project / "not" / "there").write_text("now")),
    ],
    ids=["a file", "the image", "a command", "a new file"],
)
async def test_what_it_depends_on_makes_it_anew(world: World, change: Callable[[World], object]) -> None:
    before = await ready(world)
    change(world)

    assert await ready(world) != before
    assert world.done.count("keep") == 2


async def test_all_who_want_it_at_once_wait_for_one_setup_also_in_two_servers(world: World) -> None:
    got: list[SandboxSpec] = []

    async def want(server: Prepared) -> None:
        got.append(await server.ready(SPEC, unseen))

    async with anyio.create_task_group() as tasks:
        for server in (world.server(tasks), world.server(tasks)):
            for _ in range(3):
                tasks.start_soon(want, server)

    assert len(got) == 6
    assert len(set(got)) == 1
    assert world.done.count("keep") == 1


async def test_a_command_that_fails_is_shown_and_nothing_of_it_is_kept(world: World) -> None:
    world.fails, world.says = {"make data": Exit("exited", 2)}, {"make data": b"no rule to make it\n"}

    said = await failing(world)

    assert "environment data could not be prepared: setup 2 of 2, `make data`: it exited with 2" in said
    assert "no rule to make it" in said
    assert world.images.images == set()
    assert world.done[-1] == "gone"
    world.fails = {"make data": Exit("timed_out")}
    assert "`make data`: it took longer than 900 s (setup_timeout_s). Nothing" in await failing(world)
    world.fails = {}
    assert (await ready(world)).image != "python", "the next call tries anew"


async def test_a_command_that_the_policy_refuses_names_its_rule_and_how_a_person_allows_it(world: World) -> None:
    world.fails = {"pip install a": NO}

    said = await failing(world)

    assert "setup 1 of 2, `pip install a`: the policy does not let it run: it runs what it fetched" in said
    assert "[network.pipe] Fetch, read, run. A person can allow" in said
    assert "`sandgate allow curl`" in said
    assert "d-7" in said


async def test_our_own_mistake_is_told_to_whoever_waits_and_ends_no_server(world: World) -> None:
    world.fails = {"pip install a": ZeroDivisionError("oops")}

    assert "oops" in await failing(world)


async def test_a_long_setup_goes_on_when_its_callers_have_gone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.held = anyio.Event()
    async with anyio.create_task_group() as tasks:
        server = world.server(tasks)
        async with anyio.create_task_group() as callers:
            callers.start_soon(server.ready, SPEC, unseen)
            await eventually(lambda: "run pip install a" in world.done)
            callers.cancel_scope.cancel()
        monkeypatch.setattr(prepared, "PATIENCE_S", 0.05)
        with pytest.raises(
            StillPreparing, match=r"still being prepared \(setup 1 of 2, `pip install a`\); .* call again"
        ):
            await server.ready(SPEC, unseen)
        world.held.set()
        monkeypatch.setattr(prepared, "PATIENCE_S", PATIENCE_S)

        assert (await server.ready(SPEC, unseen)).image in world.images.images
    assert world.done.count("run pip install a") == 1


@pytest.mark.promise("nothing.left")
async def test_a_server_that_ends_ends_its_setup_and_keeps_nothing_of_it(world: World) -> None:
    world.held = anyio.Event()
    said: list[str] = []

    async def want(server: Prepared) -> None:
        with pytest.raises(PreparationFailed) as failed:
            await server.ready(SPEC, unseen)
        said.append(str(failed.value))

    async with anyio.create_task_group() as tasks:
        server = world.server(tasks)
        tasks.start_soon(want, server)
        await eventually(lambda: "run pip install a" in world.done)
        await server.stop()

    assert said == ["environment data is not prepared yet, and this server ends"]
    assert world.done[-1] == "gone"
    assert world.images.images == set()


async def test_whoever_waits_is_shown_the_output_of_each_command(world: World) -> None:
    world.held, seen = anyio.Event(), list[str]()

    async def show(job: Job) -> None:
        seen.append(job.shown)
        world.held.set()
        while job.end is None:
            await job.news()

    async with anyio.create_task_group() as tasks:
        await world.server(tasks).ready(SPEC, show)

    assert seen[0] == "pip install a"


async def test_an_image_that_somebody_pruned_is_made_again_and_an_engine_that_is_away_takes_nothing(
    world: World,
) -> None:
    first = await ready(world)
    world.engine_answers = False
    assert "cannot be prepared: the engine is away" in await failing(world)
    world.engine_answers = True
    assert await ready(world) == first, "nothing was forgotten"

    world.images.images.clear()

    assert await ready(world) != first
    assert [kept.kind for kept in world.kept.every()] == ["prepared"]


@pytest.mark.promise("workspace.checked")
async def test_a_link_in_the_place_of_a_file_is_refused_before_anything_runs(world: World) -> None:
    (world.project / "lock").unlink()
    (world.project / "lock").symlink_to("/etc/passwd")

    assert "is a link" in await failing(world)
    assert world.done == []
