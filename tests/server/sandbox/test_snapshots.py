"""Who has which snapshots and for how long: real rows and locks, an engine made of a dictionary."""

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from server.record.snapshot_rows import SnapshotRows
from server.sandbox.sandbox import SandboxSpec
from server.sandbox.snapshot import BadSnapshotName, NoSuchSnapshot, SnapshotFailed
from server.sandbox.snapshots import SLACK, Retention, Snapshots
from tests.fakes import FakeImages
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.anyio

SPEC = SandboxSpec(image="plain", environment="base", user=(1234, 99), disk_bytes=1 << 30)


@dataclass
class Box:
    id: str = "box"
    spec: SandboxSpec = SPEC


@dataclass
class World:
    folder: Path
    retention: Retention = field(default_factory=Retention)
    engine: FakeImages = field(default_factory=FakeImages)
    said: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    def server(self) -> Snapshots:
        return Snapshots(
            SnapshotRows(self.folder / "db"),
            self.engine,
            self.folder,
            self.retention,
            lambda kind, facts: self.said.append((kind, facts)),
        )

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.said]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1e9]

    def tick() -> float:
        now[0] += 0.001
        return now[0]

    monkeypatch.setattr("server.sandbox.snapshots.time.time", tick)
    return now


async def test_a_snapshot_is_found_by_its_owner_from_any_server_and_by_nobody_else(world: World) -> None:
    taken = await world.server().take(Box(), "alice", "before", "base")

    assert world.server().find("alice", "before") == taken
    assert taken.left_out == ("/home/me/project",)
    with pytest.raises(NoSuchSnapshot, match="there is no snapshot 'before'; yours: none yet"):
        world.server().find("bob", "before")
    with pytest.raises(NoSuchSnapshot):
        await world.server().delete("bob", "before")
    assert world.engine.images == {taken.image}


async def test_a_sandbox_of_a_snapshot_is_as_its_source_was(world: World) -> None:
    taken = await world.server().take(Box(), "alice", "before", "base")
    spec = taken.spec(SandboxSpec(image="plain", environment="base", pids=7))

    assert (spec.image, spec.user, spec.environment, spec.pids) == (taken.image, (1234, 99), "base", 7)
    assert world.engine.most == SPEC.disk_bytes + SLACK


@pytest.mark.parametrize("name", ["", "a" * 65, "a/b", "a b", "ä", "a\n", "..\0"])
async def test_odd_names_are_refused_before_anything_is_made(world: World, name: str) -> None:
    with pytest.raises(BadSnapshotName, match="1 to 64 letters, digits"):
        await world.server().take(Box(), "alice", name, "base")
    assert not world.engine.begun.is_set()


async def test_the_same_name_again_replaces_and_another_kind_of_that_name_stays(world: World) -> None:
    server = world.server()
    first = await server.take(Box(), "alice", "a", "base")
    parked = await server.take(Box(), "alice", "a", "base", "parked")
    second = await server.take(Box(), "alice", "a", "base")

    assert server.every() == [parked, second]
    assert world.engine.images == {parked.image, second.image}
    assert world.kinds == ["snapshot.taken", "snapshot.taken", "snapshot.taken", "snapshot.deleted"]
    assert world.said[-1][1]["snapshot"] == first.id


async def test_a_commit_that_fails_leaves_no_row_and_replaces_nothing(world: World) -> None:
    first = await world.server().take(Box(), "alice", "a", "base")
    world.engine.fails = True

    with pytest.raises(SnapshotFailed):
        await world.server().take(Box(), "alice", "a", "base")
    with pytest.raises(SnapshotFailed):
        await world.server().delete("alice", "a")
    assert world.server().every() == [first]
    assert world.engine.images == {first.image}


@pytest.mark.promise("nothing.left")
async def test_a_cancelled_snapshot_is_removed_once_it_is_made_and_not_swept_before(world: World) -> None:
    server, engine = world.server(), world.engine
    engine.gate.clear()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(server.take, Box(), "alice", "a", "base", to_the_end=False))
        assert await anyio.to_thread.run_sync(engine.begun.wait, PATIENCE_S)
        tasks.cancel_scope.cancel()

    engine.images.add("sandgate-snapshot:half-made")
    assert await server.sweep() == [], "somebody is still at it"
    engine.gate.set()
    assert await anyio.to_thread.run_sync(engine.removed.wait, PATIENCE_S)
    assert server.every() == []
    assert engine.images == {"sandgate-snapshot:half-made"}


@pytest.mark.promise("nothing.left")
async def test_a_cancelled_snapshot_waits_for_the_engine_where_something_would_move_before(world: World) -> None:
    server, engine, order = world.server(), world.engine, list[str]()
    engine.gate.clear()

    async def take() -> None:
        try:
            await server.take(Box(), "alice", "a", "base")
        finally:
            order.append("may move")

    async def engine_ends() -> None:
        await anyio.wait_all_tasks_blocked()
        order.append("engine ends")
        engine.gate.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(take)
        assert await anyio.to_thread.run_sync(engine.begun.wait, PATIENCE_S)
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as later:
                later.start_soon(engine_ends)
                tasks.cancel_scope.cancel()

    assert order == ["engine ends", "may move"]
    assert engine.images == set()
    assert server.every() == []


@pytest.mark.promise("nothing.left")
async def test_nor_is_it_waited_for_longer_than_a_moment_and_goes_when_it_is_there(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that was told to end outlived that by as long as a snapshot took."""
    monkeypatch.setattr("server.sandbox.snapshots.GIVEN_UP_S", 0.01)
    server, engine = world.server(), world.engine
    engine.gate.clear()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.take, Box(), "alice", "a", "base")
        assert await anyio.to_thread.run_sync(engine.begun.wait, PATIENCE_S)
        tasks.cancel_scope.cancel()
    assert not engine.gate.is_set()

    engine.gate.set()
    assert await anyio.to_thread.run_sync(engine.removed.wait, PATIENCE_S)
    assert (server.every(), engine.images) == ([], set())


@pytest.mark.promise("nothing.left")
async def test_one_that_is_cancelled_in_the_moment_in_which_it_is_made_is_removed_as_well(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, engine, over, really = world.server(), world.engine, threading.Event(), os.close

    def close(handle: int) -> None:
        really(handle)
        over.set()

    engine.gate.clear()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.take, Box(), "alice", "a", "base")
        assert await anyio.to_thread.run_sync(engine.begun.wait, PATIENCE_S)
        monkeypatch.setattr("server.sandbox.snapshots.os.close", close)
        engine.gate.set()
        assert over.wait(PATIENCE_S)  # and whoever wants it does not hear of it meanwhile
        monkeypatch.undo()
        tasks.cancel_scope.cancel()

    assert (server.every(), engine.images) == ([], set())


@pytest.mark.promise("nothing.left")
async def test_one_that_is_cancelled_before_it_began_keeps_nobody_from_sweeping(world: World) -> None:
    server = world.server()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await server.take(Box(), "alice", "a", "base")
    world.engine.images.add("sandgate-snapshot:dead")

    assert not world.engine.begun.is_set()
    assert await server.sweep() == ["sandgate-snapshot:dead"]


@pytest.mark.promise("nothing.left")
async def test_what_a_dead_server_left_half_made_is_swept(world: World) -> None:
    kept = await world.server().take(Box(), "alice", "a", "base")
    world.engine.images.add("sandgate-snapshot:dead")

    assert await world.server().sweep() == ["sandgate-snapshot:dead"]
    assert world.engine.images == {kept.image}


async def test_the_oldest_beyond_a_caller_s_number_give_way_and_others_keep_theirs(world: World) -> None:
    world.retention = Retention(each=2)
    server = world.server()
    await server.take(Box(), "bob", "his", "base")
    for name in ("a", "b", "c", "d"):
        await server.take(Box(), "alice", name, "base")

    assert [gone.name for gone in await server.make_room("alice")] == ["a", "b"]
    assert [kept.name for kept in server.every()] == ["his", "c", "d"]
    assert world.kinds[-2:] == ["snapshot.expired"] * 2


async def test_the_oldest_give_way_to_bytes_too_and_the_newest_never_does(world: World) -> None:
    world.retention = Retention(each_bytes=15)
    server = world.server()
    for name in ("a", "b", "c"):
        await server.take(Box(), "alice", name, "base")

    assert [gone.name for gone in await server.make_room("alice")] == ["a"], "each has 7"
    server.retention = Retention(each_bytes=6)
    assert [gone.name for gone in await server.make_room("alice")] == ["b"]
    assert [kept.name for kept in server.every()] == ["c"]


async def test_what_nobody_used_for_long_expires_and_what_was_used_stays(world: World, clock: list[float]) -> None:
    world.retention = Retention(named_s=10 * 86400, prepared_s=20 * 86400)
    server = world.server()
    await server.take(Box(), "alice", "used", "base")
    await server.take(Box(), "alice", "unused", "base")
    await server.take(Box(), "operator", "key", "base", "prepared")
    await server.take(Box(), "alice", "default", "base", "parked")
    clock[0] += 9 * 86400
    server.find("alice", "used")
    clock[0] += 2 * 86400

    assert [gone.name for gone in await server.expire()] == ["unused"]
    clock[0] += 10 * 86400
    assert [gone.name for gone in await server.expire()] == ["used", "key"]
    assert [kept.kind for kept in server.every()] == ["parked"], "whoever parks decides how long"


async def test_with_no_age_named_everything_stays(world: World, clock: list[float]) -> None:
    world.retention = Retention(named_s=0, prepared_s=0)
    await world.server().take(Box(), "alice", "a", "base")
    clock[0] += 1e9

    assert await world.server().expire() == []


async def test_tidying_outlives_a_folder_that_cannot_be_written(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("server.sandbox.snapshots.SETTLING_S", 0)
    (world.folder / "snapshots.lock").mkdir()
    server = world.server()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.keep)
        server.wake()
        with anyio.fail_after(PATIENCE_S):
            while "snapshots are not tidied" not in caplog.text:
                await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()


async def test_tidying_waits_for_the_first_sandbox_and_outlives_a_failing_engine(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.sandbox.snapshots.SETTLING_S", 0)
    server = world.server()
    world.engine.images.add("sandgate-snapshot:dead")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.keep)
        await anyio.wait_all_tasks_blocked()
        assert world.engine.images, "a server that nobody calls touches no engine"
        server.wake()
        with anyio.fail_after(PATIENCE_S):
            while world.engine.images:
                await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
