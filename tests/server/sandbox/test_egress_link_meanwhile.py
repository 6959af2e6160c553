"""What changes while a gate starts, or is gone for a moment: sessions, lists, secrets, folders."""

import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from server.sandbox.egress_link import GateRefused
from tests.egress.world.gate import kill
from tests.server.sandbox.links import Setup, elsewhere, nobody_is_up, opened, pid_of
from tests.waiting import eventually

pytestmark = pytest.mark.anyio


@pytest.fixture
def setup(tmp_path: Path) -> Any:
    made = Setup(tmp_path)
    yield made
    made.origin.close()


async def test_a_session_that_is_closed_before_the_gate_is_up_costs_neither_the_gate_nor_opens_anything(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = list[GateRefused]()

    async def opening() -> None:
        try:
            await link.open("s", setup.path)
        except GateRefused as exc:
            refused.append(exc)

    async with setup.link() as link:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(opening)
            await eventually(lambda: link._process is not None)
            first = link.pid
            with monkeypatch.context() as hurried:
                hurried.setattr(
                    "server.sandbox.egress_wire.REPLY_S", 0.05
                )  # to start one takes longer than any patience
                await link.close("s")
        assert await setup.until_up(link) == first

    assert refused
    assert not setup.path.exists()


async def test_a_list_that_comes_too_late_for_its_session_is_refused(setup: Setup) -> None:
    """Whoever sets lists expects that, and nothing else: a KeyError ended the server."""
    refused = list[GateRefused]()

    async def binding() -> None:
        try:
            await link.bind("s", [setup.where])
        except GateRefused as exc:
            refused.append(exc)

    async with opened(setup) as link:
        kill(await setup.until_up(link))
        await eventually(lambda: pid_of(link) is None)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(binding)
            await anyio.wait_all_tasks_blocked()
            await link.close("s")

    assert refused


async def test_a_secret_that_is_rotated_while_a_gate_starts_is_told_to_it_too(setup: Setup) -> None:
    """It was asked before, and is not up yet: it would have the old one until the next change."""
    told = list[str]()

    async def hears(_: object, secrets: Sequence[Mapping[str, Any]]) -> None:
        await anyio.lowlevel.checkpoint()
        told.extend(str(secret["value"]) for secret in secrets)

    async def secrets() -> list[dict[str, Any]]:
        await anyio.lowlevel.checkpoint()
        tasks.start_soon(link.keep, [{"value": "new"}])  # while the gate is told its settings
        return [{"value": "old"}]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("server.sandbox.egress_link._tell_secrets", hears)
        async with setup.link(secrets=secrets) as link, anyio.create_task_group() as tasks:
            await link.open("s", setup.path)

    assert told[-1] == "new"


async def test_one_folder_that_is_gone_costs_one_session_its_network(setup: Setup) -> None:
    at, gone = setup.folder / "control", setup.folder / "gone"
    gone.mkdir()
    with elsewhere(setup) as first:
        await eventually(at.exists)
        async with setup.link(at=at) as link:
            await link.open("s", setup.path, [setup.where])
            await link.open("t", gone / "t.sock", [setup.where])
            (gone / "t.sock").unlink()
            gone.rmdir()
            with pytest.raises(GateRefused, match=r"t\.sock"):
                await link.open("t", gone / "t.sock", [setup.where])
            link._wanted["t"] = link._wanted["s"].__class__(gone / "t.sock")
            first.kill()
            first.wait(60)
            await eventually(lambda: nobody_is_up(link))
            with elsewhere(setup):
                await eventually(lambda: not nobody_is_up(link))
                assert (await setup.fetch()).status == 200


async def test_a_start_that_is_given_up_leaves_no_socket(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    made, pair = list[socket.socket](), socket.socketpair

    def noted() -> tuple[socket.socket, socket.socket]:
        made.extend(found := pair())
        return found

    async def never(*_: object, **__: object) -> None:
        monkeypatch.undo()
        await anyio.sleep_forever()

    async with setup.link() as link:
        monkeypatch.setattr("server.sandbox.egress_link.socket.socketpair", noted)
        monkeypatch.setattr("server.sandbox.egress_link.anyio.open_process", never)
        link.start()
        await eventually(lambda: made)

    assert [each.fileno() for each in made] == [-1, -1]
