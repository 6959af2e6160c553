from dataclasses import dataclass, replace
from pathlib import Path

import anyio
import pytest

from policy.question import CallerFacts, Question, RunCommand, SessionFacts
from policy.verdict import Allow, permit
from server.sandbox.allow_list import AllowList
from server.sandbox.egress_link import AllowEntry
from server.sandbox.room import Full, Room
from server.sandbox.sandbox import Exit, NoSuchImage, SandboxFailed, SandboxSpec
from server.sandbox.sessions import SessionExists, Sessions
from tests.fakes import SPEC, FakeFreezer, FakeHosts, FakeKeeper, FakeSandbox, FakeSource, ledger, resting

pytestmark = pytest.mark.anyio

ACT = RunCommand(("true",), "/workspace", b"", 1, background=False)
PERMIT = permit(Question(CallerFacts("ann"), "exec", SessionFacts("default", "base"), ACT, {}), Allow())
ALLOWED: tuple[AllowEntry, ...] = ("docs.example", "api.example")


def nothing(end: Exit) -> None: ...


class Source(FakeSource):
    specs: list[SandboxSpec]
    without_image: bool = False

    async def claim(self, spec: SandboxSpec, allow: tuple[AllowEntry, ...], *, alone: bool = False) -> FakeSandbox:
        if self.without_image:
            raise NoSuchImage("the engine has no image kept:1")
        made = await super().claim(spec, allow, alone=alone)
        made.spec = spec
        return made


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Server:
    """One of several on the same state; `dead` are those that it takes for dead."""

    folder: Path
    keeper: FakeKeeper
    name: str = "one"
    dead: tuple[str, ...] = ()
    most: int = 3
    clock: Clock | None = None

    def __post_init__(self) -> None:
        self.source, self.hosts = Source(), FakeHosts(ALLOWED)
        self.room = Room(self.most, patience_s=0)
        self.sessions = Sessions(
            self.source,
            {"base": SPEC},
            self.folder,
            AllowList(self.hosts),
            self.room,
            ledger(self.folder, self.name, lambda other: other not in self.dead),
            resting(FakeFreezer(), self.keeper),
            clock=self.clock or Clock(),
        )


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


async def test_jobs_and_their_output_outlast_parking(server: Server) -> None:
    session = await server.sessions.open("ann", "work", "base", ())
    await session.start(PERMIT, "exec", "d-1", nothing)
    await server.sessions.park(session)

    found = server.sessions.find("ann", "work")
    assert found.job("j1").streams["stdout"].read(0, 10).data == b"hi\n"
    await server.sessions.find_or_open("ann", "work", "base")
    assert (await found.start(PERMIT, "exec", "d-2", nothing)).name == "j2"


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
    clock, keeper = Clock(), FakeKeeper()
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
    clock, keeper = Clock(), FakeKeeper()
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
    clock, keeper = Clock(), FakeKeeper()
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


# --- adoption ----------------------------------------------------------------------------------------------------------


async def left_by_a_dead_server(server: Server, tmp_path: Path) -> Server:
    """`server` opened a session, ran one command to its end and died over another; this is the next one."""
    session = await server.sessions.open("ann", "work", "base", ("docs.example",))
    await session.start(PERMIT, "exec", "d-1", nothing)
    session.box = FakeSandbox(id="box0", end=None)
    (await session.start(PERMIT, "exec", "d-2", nothing)).close()
    next_one = Server(tmp_path, server.keeper, "two", ("one",))
    next_one.source.waiting.add("box0")
    return next_one


@pytest.mark.promise("result.truthful")
async def test_a_restarted_server_takes_over_what_waits_and_says_so(server: Server, tmp_path: Path) -> None:
    second = await left_by_a_dead_server(server, tmp_path)
    session = await second.sessions.find_or_open("ann", "work", "base")
    (entry,) = ledger(tmp_path).every()

    assert second.source.adopted == [("box0", "k", ("docs.example",))]
    assert {name: job.status for name, job in session.jobs.items()} == {"j1": "exited", "j2": "killed"}
    assert session.take_remarks() == ("its server was lost and what ran ended with that; its files are as they were",)
    assert (entry.server, entry.sandbox, entry.key) == ("two", "box0", "k+")
    assert second.room.used == 1


async def test_it_is_taken_over_before_anybody_asks(server: Server, tmp_path: Path) -> None:
    second = await left_by_a_dead_server(server, tmp_path)
    await second.sessions.adopt_left(0)

    assert [found.state for found in second.sessions.of("ann")] == ["live"]


async def test_a_server_that_only_lists_its_tools_takes_nothing(server: Server, tmp_path: Path) -> None:
    second = await left_by_a_dead_server(server, tmp_path)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(second.sessions.adopt_left, 3600)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()

    assert second.source.adopted == []
    assert [entry.server for entry in ledger(tmp_path).every()] == ["one"]


async def test_what_waits_no_more_is_replaced_and_that_is_said(server: Server, tmp_path: Path) -> None:
    second = await left_by_a_dead_server(server, tmp_path)
    second.source.waiting.clear()
    await second.sessions.adopt_left(0)
    assert ledger(tmp_path).every() == []
    session = await second.sessions.find_or_open("ann", "work", "base")

    (told,) = session.take_remarks()
    assert "is gone with its files: it is gone" in told
    assert second.room.used == 1


@pytest.mark.promise("session.alone")
async def test_of_two_restarted_servers_one_takes_it_over(server: Server, tmp_path: Path) -> None:
    second = await left_by_a_dead_server(server, tmp_path)
    third = Server(tmp_path, server.keeper, "three", ("one",))
    third.source.waiting.add("box0")
    async with anyio.create_task_group() as tasks:
        for one in (second, third):
            tasks.start_soon(one.sessions.adopt_left, 0)

    assert len(second.source.adopted) + len(third.source.adopted) == 1


async def test_its_jobs_are_read_without_taking_the_sandbox_over(server: Server, tmp_path: Path) -> None:
    second = await left_by_a_dead_server(server, tmp_path)

    assert second.sessions.find("ann", "work").job("j1").streams["stdout"].read(0, 10).data == b"hi\n"
    assert second.source.adopted == []


async def test_a_session_that_nobody_came_for_is_buried_one_day(server: Server, tmp_path: Path) -> None:
    second = await left_by_a_dead_server(server, tmp_path)
    await second.sessions.bury(0, 50)
    assert len(ledger(tmp_path).every()) == 1
    await second.sessions.bury(1e12, 50)

    assert ledger(tmp_path).every() == []
