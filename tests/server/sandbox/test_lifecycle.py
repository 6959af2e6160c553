from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from server.record.audit import AuditFailed
from server.sandbox.room import Full
from server.sandbox.sandbox import NoSuchImage, SandboxFailed
from server.sandbox.session import Session
from server.sandbox.sessions import SessionExists
from tests.clock import Clock
from tests.fakes import SPEC, FakeKeeper, FakeSandbox, ledger
from tests.server.sandbox.servers import ALLOWED, PERMIT, Server, nothing

pytestmark = pytest.mark.anyio


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path, FakeKeeper())


async def test_a_parked_session_has_no_sandbox_and_the_next_call_makes_one_of_its_files(server: Server) -> None:
    session = await server.sessions.open("ann", "work", "base", ("docs.example",))
    await server.sessions.park(session)
    parked = (session.state, session.box, server.source.claimed[0].closed, server.room.used)

    assert await server.sessions.find_or_open("ann", "work", "base") is session
    assert parked == ("parked", None, True, 0)
    assert session.sandbox.spec == replace(
        SPEC, image="kept:1", lent_as="box0"
    )  # whose placeholders its files may hold
    assert server.source.allowed == [("docs.example",), ("docs.example",)]
    assert (session.state, server.room.used) == ("live", 1)


async def test_what_the_operator_no_longer_allows_is_not_allowed_to_what_wakes(server: Server) -> None:
    session = await server.sessions.open("ann", "work", "base", ALLOWED[:1])  # type: ignore[arg-type]  # hosts are texts
    await server.sessions.park(session)
    server.hosts.entries = ("api.example",)
    await server.sessions.follow_policy()
    await server.sessions.find_or_open("ann", "work", "base")

    assert server.source.allowed[1] == ()


@pytest.mark.promise("egress.only_gate")
@pytest.mark.parametrize("parked", [False, True])
async def test_what_the_operator_takes_back_while_a_sandbox_is_made_is_not_allowed_to_it(
    server: Server, parked: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    if parked:
        await server.sessions.park(await server.sessions.open("ann", "work", "base", ()))
    claim = server.source.claim

    async def slow(*given: Any, **how: Any) -> FakeSandbox:
        made = await claim(*given, **how)
        server.hosts.entries = ("api.example",)
        await server.sessions.follow_policy()
        return made

    monkeypatch.setattr(server.source, "claim", slow)
    await server.sessions.find_or_open("ann", "work", "base")

    assert (server.source.allowed[-1], server.source.bound) == (ALLOWED, [("api.example",)])


async def test_one_that_is_closed_before_its_turn_is_not_parked(server: Server) -> None:
    session = await server.sessions.open("ann", "work", "base", ())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.sessions.close, "ann", "work")
        tasks.start_soon(server.sessions.park, session)

    assert (server.keeper.kept, server.sessions.at_hand()) == ({}, [])


async def test_jobs_and_their_output_outlast_parking(server: Server) -> None:
    session = await server.sessions.open("ann", "work", "base", ())
    await session.start(PERMIT, "exec", "d-1", nothing)
    await server.sessions.park(session)

    found = server.sessions.find("ann", "work")
    assert found.job("j1").streams["stdout"].read(0, 10).data == b"hi\n"
    await server.sessions.find_or_open("ann", "work", "base")
    assert (await found.start(PERMIT, "exec", "d-2", nothing)).name == "j2"


@pytest.mark.promise("nothing.left")
async def test_what_cannot_be_recorded_of_its_rest_or_its_end_leaves_no_sandbox(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AuditFailed("no room")

    async def unrecorded(box: FakeSandbox) -> None:
        await box.close()
        refuse()

    rests, ends = [await server.sessions.open("ann", name, "base", ()) for name in ("rests", "ends")]
    monkeypatch.setattr(server.sessions._life, "_note", refuse)
    with pytest.raises(AuditFailed):
        await server.sessions.park(rests)
    monkeypatch.setattr(server.source, "release", unrecorded)
    with pytest.raises(AuditFailed):
        await server.sessions.close("ann", "ends")

    assert [box.closed for box in server.source.claimed] == [True, True]
    assert server.room.used == 0
    assert [entry.name for entry in ledger(tmp_path).every()] == ["rests"]
    assert not ends.folder.exists()


async def test_what_runs_is_never_parked(server: Server) -> None:
    session = await server.sessions.open("ann", "work", "base", ())
    session.box = FakeSandbox(end=None)
    job = await session.start(PERMIT, "exec", "d-1", nothing)
    await server.sessions.park(session)

    assert session.state == "live"
    job.close()


async def test_a_server_that_ends_in_order_leaves_its_sessions_to_the_next(server: Server, tmp_path: Path) -> None:
    session = await server.sessions.open("ann", "work", "base", ("docs.example",))
    await session.start(PERMIT, "exec", "d-1", nothing)
    session.sandbox.end = None  # type: ignore[attr-defined]  # the next command runs on
    running = await session.start(PERMIT, "exec", "d-2", nothing)
    await server.sessions.put_down_all()
    second = Server(tmp_path, server.keeper, "two")
    taken = await second.sessions.find_or_open("ann", "work", "base")

    assert running.end is not None
    assert running.end.status == "killed"
    assert server.source.claimed[0].closed
    assert (taken.id, taken.hosts, taken.state) == (session.id, ("docs.example",), "live")
    assert taken.sandbox.spec.image == "kept:1"
    assert {name: job.status for name, job in taken.jobs.items()} == {"j1": "exited", "j2": "killed"}
    assert second.source.allowed == [("docs.example",)]


async def test_what_a_server_that_ends_is_about_to_put_down_is_waited_for(server: Server, tmp_path: Path) -> None:
    """A client that is started again has its next server before the one that it had has ended."""
    session = await server.sessions.open("ann", "work", "base", ())
    second, found = Server(tmp_path, server.keeper, "two", ending=("one",)), list[Session]()

    async def want() -> None:
        found.append(await second.sessions.find_or_open("ann", "work", "base"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(want)
        await anyio.wait_all_tasks_blocked()
        assert found == []
        await server.sessions.put_down_all()

    assert [(one.id, one.take_remarks()) for one in found] == [(session.id, ())]


@pytest.mark.promise("session.alone")
async def test_but_not_for_ever(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.sandbox.lifecycle.HANDED_OVER_S", 0.01)
    session = await server.sessions.open("ann", "work", "base", ())
    second = Server(tmp_path, server.keeper, "two", ending=("one",))
    other = await second.sessions.find_or_open("ann", "work", "base")

    assert other.id != session.id
    assert "another running server" in other.take_remarks()[0]


@pytest.mark.promise("session.alone")
async def test_of_two_servers_that_want_what_was_put_down_one_has_it(server: Server, tmp_path: Path) -> None:
    session = await server.sessions.open("ann", "work", "base", ())
    await server.sessions.put_down_all()
    second, third = (Server(tmp_path, server.keeper, name) for name in ("two", "three"))
    one = await second.sessions.find_or_open("ann", "work", "base")
    other = await third.sessions.find_or_open("ann", "work", "base")

    assert one.id == session.id != other.id
    assert "another running server" in other.take_remarks()[0]


@pytest.mark.promise("nothing.left")
async def test_closing_a_parked_session_leaves_nothing_of_it(server: Server, tmp_path: Path) -> None:
    session = await server.sessions.open("ann", "work", "base", ())
    await session.start(PERMIT, "exec", "d-1", nothing)
    await server.sessions.park(session)
    await server.sessions.close("ann", "work")

    assert server.keeper.kept == {}
    assert not session.folder.exists()
    assert ledger(tmp_path).every() == []


async def test_one_whose_kept_files_are_gone_is_replaced_and_that_is_said(server: Server) -> None:
    session = await server.sessions.open("ann", "work", "base", ())
    await server.sessions.park(session)
    server.source.without_image = True
    with pytest.raises(NoSuchImage):  # not even a new one can be made now
        await server.sessions.find_or_open("ann", "work", "base")
    server.source.without_image = False
    new = await server.sessions.find_or_open("ann", "work", "base")

    assert new.id != session.id
    assert "gone from the engine" in new.take_remarks()[0]


async def test_where_there_is_no_room_it_stays_parked(server: Server) -> None:
    session = await server.sessions.open("ann", "work", "base", ())
    await server.sessions.park(session)
    for name in ("a", "b", "c"):
        await server.sessions.open("ann", name, "base", ())
    with pytest.raises(Full):
        await server.sessions.find_or_open("ann", "work", "base")
    await server.sessions.close("ann", "a")

    assert await server.sessions.find_or_open("ann", "work", "base") is session


async def test_a_parked_name_is_taken(server: Server) -> None:
    await server.sessions.park(await server.sessions.open("ann", "work", "base", ()))
    with pytest.raises(SessionExists):
        await server.sessions.open("ann", "work", "base", ())


async def test_a_call_that_comes_while_it_is_being_parked_waits_and_has_it_back(server: Server) -> None:
    session = await server.sessions.open("ann", "work", "base", ())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.sessions.park, session)
        while session.state == "live":
            await anyio.lowlevel.checkpoint()
        async with server.sessions.held("ann", "work", "base") as found:
            assert found is session
            assert found.ready


async def test_a_session_ends_at_its_time_wherever_it_is_by_then(tmp_path: Path) -> None:
    clock, keeper = Clock(1000.0), FakeKeeper()
    first = Server(tmp_path, keeper, clock=clock)
    session = await first.sessions.open("ann", "work", "base", (), ttl_s=60)
    await first.sessions.put_down_all()
    clock.now += 59
    second = Server(tmp_path, keeper, "two", clock=clock)
    assert (await second.sessions.find_or_open("ann", "work", "base")).id == session.id
    clock.now += 2
    new = await second.sessions.find_or_open("ann", "work", "base")

    assert new.id != session.id
    assert "the time that it was opened for is over" in new.take_remarks()[0]
    assert keeper.kept == {}


@pytest.mark.promise("nothing.left")
async def test_parked_sessions_of_servers_that_are_gone_are_buried_when_they_are_old(tmp_path: Path) -> None:
    clock, keeper = Clock(1000.0), FakeKeeper()
    first = Server(tmp_path, keeper, clock=clock)
    await first.sessions.open("ann", "old", "base", ())
    await first.sessions.open("ann", "timed", "base", (), ttl_s=60)
    await first.sessions.put_down_all()
    clock.now += 100
    second = Server(tmp_path, keeper, "two", clock=clock)
    await second.sessions.bury(0, 50)
    assert [entry.name for entry in ledger(tmp_path).every()] == ["old"]
    await second.sessions.bury(clock.now, 50)

    assert ledger(tmp_path).every() == []
    assert keeper.kept == {}


async def test_of_more_parked_ones_than_a_caller_may_have_those_used_last_stay(tmp_path: Path) -> None:
    clock, keeper = Clock(1000.0), FakeKeeper()
    first, second = (Server(tmp_path, keeper, name, clock=clock) for name in ("one", "two"))
    for server, owner, name in (
        (first, "ann", "a1"),
        (first, "ann", "a2"),
        (first, "bob", "b1"),
        (second, "ann", "a3"),
        (second, "ann", "a4"),
    ):
        clock.now += 1
        await server.sessions.park(await server.sessions.open(owner, name, "base", ()))
    await first.sessions.put_down_all()
    await second.sessions.bury(0, 1)

    assert sorted(entry.name for entry in ledger(tmp_path).every()) == ["a4", "b1"]
    assert len(keeper.kept) == 2


async def test_what_another_server_holds_is_not_buried(server: Server, tmp_path: Path) -> None:
    await server.sessions.park(await server.sessions.open("ann", "work", "base", ()))
    await Server(tmp_path, server.keeper, "two").sessions.bury(1e12, 50)

    assert len(ledger(tmp_path).every()) == 1


async def test_a_session_that_cannot_be_kept_at_the_end_is_left_to_be_adopted(server: Server, tmp_path: Path) -> None:
    session = await server.sessions.open("ann", "work", "base", ())
    server.keeper.stuck = True
    await server.sessions.put_down_all()
    (entry,) = ledger(tmp_path).every()

    assert (entry.state, entry.sandbox, entry.server) == ("live", session.sandbox.id, "one")
    assert not server.source.claimed[0].closed


async def test_where_that_it_is_parked_cannot_be_written_down_it_is_not(server: Server, tmp_path: Path) -> None:
    session = await server.sessions.open("ann", "work", "base", ())
    for file in tmp_path.glob("sandgate.db*"):
        file.unlink()
    server.sessions._ledger._records.close()  # type: ignore[attr-defined]  # so that it opens anew
    (tmp_path / "sandgate.db").write_text("no database at all, whatever its name may say of it, but a plain text")
    with pytest.raises(SandboxFailed, match="cannot be written down"):
        await server.sessions.park(session)

    assert session.state == "frozen"
    assert not server.source.claimed[0].closed
