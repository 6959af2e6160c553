from pathlib import Path

import anyio
import pytest

from server.sandbox.allow_list import AllowList
from server.sandbox.egress_link import AllowEntry
from server.sandbox.room import Room
from server.sandbox.sandbox import SandboxFailed, SandboxLost
from server.sandbox.sessions import NoSuchSession, Sessions
from tests.fakes import SPEC, FakeFreezer, FakeHosts, FakeKeeper, FakeSandbox, FakeSource, allow_list, ledger, resting

pytestmark = pytest.mark.anyio


def sessions(
    folder: Path, freezer: FakeFreezer, source: FakeSource | None = None, keeper: FakeKeeper | None = None
) -> Sessions:
    return Sessions(
        source or FakeSource(), {"base": SPEC}, folder, allow_list(), Room(3), ledger(folder), resting(freezer, keeper)
    )


async def test_a_frozen_session_wakes_at_the_next_call(tmp_path: Path) -> None:
    freezer = FakeFreezer()
    ours = sessions(tmp_path, freezer)
    session = await ours.open("ann", "work", "base", ())
    await ours.freeze(session)
    asleep = (session.state, session.sandbox.frozen, set(freezer.frozen))

    assert await ours.find_or_open("ann", "work", "base") is session
    assert asleep == ("frozen", True, {"box0"})
    assert (session.state, session.sandbox.frozen, freezer.frozen) == ("live", False, set())


async def test_one_that_cannot_be_woken_now_is_not_given_up(tmp_path: Path) -> None:
    freezer = FakeFreezer()
    ours = sessions(tmp_path, freezer)
    session = await ours.open("ann", "work", "base", ())
    await ours.freeze(session)
    freezer.stuck = True
    with pytest.raises(SandboxFailed, match="will not"):
        await ours.find_or_open("ann", "work", "base")
    freezer.stuck = False

    assert await ours.find_or_open("ann", "work", "base") is session


async def test_of_two_calls_that_find_it_asleep_one_wakes_it_and_both_have_it(tmp_path: Path) -> None:
    ours = sessions(tmp_path, FakeFreezer())
    session = await ours.open("ann", "work", "base", ())
    await ours.freeze(session)
    got = []

    async def call() -> None:
        async with ours.held("ann", "work", "base") as held:
            got.append(held)
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        tasks.start_soon(call)

    assert got == [session, session]


async def test_a_call_that_comes_before_its_turn_keeps_it_awake(tmp_path: Path) -> None:
    freezer = FakeFreezer()
    ours = sessions(tmp_path, freezer)
    session = await ours.open("ann", "work", "base", ())
    async with ours.held("ann", "work", "base"):
        await ours.freeze(session)

    assert (session.state, freezer.frozen) == ("live", set())


async def test_one_that_comes_to_rest_while_its_hosts_are_asked_for_is_woken(tmp_path: Path) -> None:
    freezer = FakeFreezer()

    class Meanwhile(FakeHosts):
        async def __call__(self, roles: tuple[str, ...]) -> tuple[AllowEntry, ...] | None:
            if roles:
                await ours.freeze(session)
            return await super().__call__(roles)

    ours = Sessions(
        FakeSource(), {"base": SPEC}, tmp_path, AllowList(Meanwhile()), Room(3), ledger(tmp_path), resting(freezer)
    )
    session = await ours.open("ann", "work", "base", ())
    async with ours.held("ann", "work", "base", roles=("dev",)) as held:
        assert held is session
        assert (session.state, freezer.frozen) == ("live", set())


async def test_where_the_engine_will_not_it_stays_awake(tmp_path: Path) -> None:
    ours = sessions(tmp_path, FakeFreezer(stuck=True))
    session = await ours.open("ann", "work", "base", ())
    with pytest.raises(SandboxFailed, match="cannot be frozen"):
        await ours.freeze(session)

    assert session.ready


async def test_one_that_was_removed_while_it_slept_is_replaced_and_that_is_said(tmp_path: Path) -> None:
    freezer, source = FakeFreezer(), FakeSource()
    ours = sessions(tmp_path, freezer, source)
    await ours.freeze(await ours.open("ann", "work", "base", ()))
    freezer.gone.add("box0")

    session = await ours.find_or_open("ann", "work", "base")

    assert session.sandbox is source.claimed[1]
    (told,) = session.take_remarks()
    assert "is gone with its files: the engine answers 404" in told


@pytest.mark.promise("nothing.left")
async def test_one_that_is_closed_while_it_sleeps_is_nobodys_to_wake(tmp_path: Path) -> None:
    freezer, source = FakeFreezer(), FakeSource()
    ours = sessions(tmp_path, freezer, source)
    await ours.freeze(await ours.open("ann", "work", "base", ()))
    await ours.close("ann", "work")

    assert source.claimed[0].closed
    assert freezer.frozen == set()


async def test_waking_a_sandbox_that_is_gone_says_that_it_is_lost(tmp_path: Path) -> None:
    freezer = FakeFreezer(gone={"box0"})
    session = await sessions(tmp_path, freezer).open("ann", "work", "base", ())
    with pytest.raises(SandboxLost):
        await resting(freezer).thaw(session)


async def test_while_a_session_stands_still_calls_wait_and_afterwards_it_is_as_before(tmp_path: Path) -> None:
    freezer, order = FakeFreezer(), list[str]()
    ours = sessions(tmp_path, freezer)
    session = await ours.open("ann", "work", "base", ())

    async def call() -> None:
        async with ours.held("ann", "work", "base") as held:
            order.append(f"called {held.state}")

    async with anyio.create_task_group() as tasks, ours.still("ann", "work") as still:
        assert still is session
        assert (session.state, session.sandbox.frozen, freezer.frozen) == ("frozen", True, {"box0"})
        tasks.start_soon(call)
        await anyio.wait_all_tasks_blocked()
        order.append("moves again")

    assert order == ["moves again", "called live"]
    assert (session.state, session.sandbox.frozen, freezer.frozen) == ("live", False, set())


async def test_also_one_that_sleeps_and_one_that_is_busy_stand_still(tmp_path: Path) -> None:
    ours = sessions(tmp_path, FakeFreezer())
    session = await ours.open("ann", "work", "base", ())
    await ours.freeze(session)
    async with ours.still("ann", "work"):
        pass
    async with ours.held("ann", "work", "base"), ours.still("ann", "work"):
        assert session.sandbox.frozen

    assert session.state == "live"


@pytest.mark.promise("session.alone")
async def test_nobody_elses_session_and_none_that_is_gone_stands_still(tmp_path: Path) -> None:
    source = FakeSource()
    ours = sessions(tmp_path, FakeFreezer(), source)
    await ours.open("ann", "work", "base", ())

    with pytest.raises(NoSuchSession):
        async with ours.still("bob", "work"):
            pass
    source.claimed[0].alive = False
    with pytest.raises(SandboxLost, match="is gone with its files"):
        async with ours.still("ann", "work"):
            pass


async def test_a_server_that_ends_meanwhile_waits_for_its_turn_and_keeps_it(tmp_path: Path) -> None:
    freezer = FakeFreezer()
    ours = sessions(tmp_path, freezer)
    session = await ours.open("ann", "work", "base", ())
    async with anyio.create_task_group() as tasks, ours.still("ann", "work"):
        tasks.start_soon(ours.put_down_all)
        await anyio.wait_all_tasks_blocked()
        assert session.state == "frozen"

    assert session.state == "parked"
    assert freezer.frozen == set()


# --- parked ------------------------------------------------------------------------------------------------------------


async def test_what_is_parked_is_frozen_first_so_that_a_death_meanwhile_leaves_it_to_be_woken(tmp_path: Path) -> None:
    freezer, keeper = FakeFreezer(), FakeKeeper(stuck=True)
    ours = sessions(tmp_path, freezer, keeper=keeper)
    session = await ours.open("ann", "work", "base", ())
    with pytest.raises(SandboxFailed, match="cannot be parked: no room"):
        await ours.park(session)

    assert (session.state, freezer.frozen) == ("frozen", {"box0"})
    assert await ours.find_or_open("ann", "work", "base") is session
    assert session.ready


async def test_what_is_kept_of_no_session_is_dropped(tmp_path: Path) -> None:
    keeper = FakeKeeper()
    ours = sessions(tmp_path, FakeFreezer(), keeper=keeper)
    session = await ours.open("ann", "work", "base", ())
    await ours.park(session)
    await keeper.take(FakeSandbox(), "ann", "stranger", "base", "parked")
    await ours.bury(0, 50)

    assert list(keeper.kept) == [session.id]


async def test_an_engine_that_is_away_keeps_the_files_and_not_the_session(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = FakeKeeper()
    ours = sessions(tmp_path, FakeFreezer(), keeper=keeper)
    await ours.park(await ours.open("ann", "work", "base", ()))
    keeper.stuck = True
    await ours.close("ann", "work")

    assert "stay until the engine answers again" in caplog.text
    assert ours.of("ann") == []
    keeper.stuck = False
    await ours.bury(0, 50)
    assert keeper.kept == {}


@pytest.mark.promise("nothing.left")
async def test_an_engine_that_is_slow_to_drop_a_closed_sessions_files_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.sandbox.resting.PATIENCE_S", 0.01)
    keeper = FakeKeeper()
    ours = sessions(tmp_path, FakeFreezer(), keeper=keeper)
    await ours.park(await ours.open("ann", "work", "base", ()))
    keeper.slow = True
    await ours.close("ann", "work")
    with pytest.raises(NoSuchSession):
        ours.find("ann", "work")
    assert keeper.kept

    monkeypatch.undo()
    keeper.slow = False
    await ours.bury(0.0, 50)
    assert not keeper.kept
