"""What a server that died left waiting, and the next one that comes for it."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from server.sandbox.sandbox import SandboxFailed
from server.sandbox.turns import Turns
from tests.fakes import FakeKeeper, FakeSandbox, ledger
from tests.server.sandbox.servers import PERMIT, Server, nothing

pytestmark = pytest.mark.anyio


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path, FakeKeeper())


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
    assert (entry.server, entry.sandbox, entry.key) == ("two", "box0", "k")
    assert second.room.used == 1


@pytest.mark.promise("egress.only_gate")
async def test_what_is_taken_off_the_list_while_it_is_taken_over_is_not_left_to_it(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = await left_by_a_dead_server(server, tmp_path)
    adopt = second.source.adopt

    async def slow(*given: Any) -> FakeSandbox:
        made = await adopt(*given)
        second.hosts.entries = ()
        await second.sessions.follow_policy()
        return made

    monkeypatch.setattr(second.source, "adopt", slow)
    await second.sessions.find_or_open("ann", "work", "base")

    assert second.source.bound == [()]


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


async def test_while_the_engine_does_not_answer_it_is_not_given_up(server: Server, tmp_path: Path) -> None:
    second = await left_by_a_dead_server(server, tmp_path)
    second.source.away = True
    await second.sessions.adopt_left(0)
    with pytest.raises(SandboxFailed, match="does not answer"):
        await second.sessions.find_or_open("ann", "work", "base")
    second.source.away = False
    session = await second.sessions.find_or_open("ann", "work", "base")

    assert second.source.adopted == [("box0", "k", ("docs.example",))]
    assert (session.sandbox.id, second.room.used) == ("box0", 1)


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


async def test_what_nobody_asked_for_ends_no_server(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is a task of the server's own: a session whose turn did not come within a minute ended all of them."""
    monkeypatch.setattr("server.sandbox.sessions.Turns", lambda: Turns(patience_s=0.01))
    second = await left_by_a_dead_server(server, tmp_path)
    async with second.sessions._turns.of("ann", "work"):
        await second.sessions.adopt_left(0)
    (tmp_path / "sandgate.db").write_bytes(b"no database" * 1000)
    for each in tmp_path.glob("sandgate.db-*"):
        each.unlink()
    third = Server(tmp_path, server.keeper, "three", ("one",))
    await third.sessions.adopt_left(0)

    assert "still being made" in caplog.text
    assert "what other servers left stays as it is" in caplog.text
    assert second.source.adopted == third.source.adopted == []


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
