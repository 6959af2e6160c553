from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from server.sandbox.room import Room
from server.sandbox.sandbox import SandboxSpec
from server.sandbox.sessions import Sessions
from tests.fakes import SPEC, FakeKeeper, FakeSource, allow_list, ledger, resting

pytestmark = [pytest.mark.anyio, pytest.mark.promise("result.truthful")]

NODE = replace(SPEC, environment="node")
BOTH = {"base": SPEC, "node": NODE}


type Make = Callable[[str, Mapping[str, SandboxSpec]], Sessions]


@pytest.fixture
async def server(tmp_path: Path) -> Make:
    """One of several on the same state, each with its own environment; a first one put down a session of node."""
    numbers, keeper = count(), FakeKeeper()

    def made(usual: str, offers: Mapping[str, SandboxSpec]) -> Sessions:
        written, kept = ledger(tmp_path, f"server{next(numbers)}"), resting(keeper=keeper)
        return Sessions(FakeSource(), offers, tmp_path, allow_list(), Room(3), written, kept, usual=usual)

    first = made("node", BOTH)
    await first.find_or_open("ann", "default", "node")
    await first.put_down_all()
    return made


async def test_one_of_another_environment_than_the_servers_says_so_once(server: Make) -> None:
    second = server("base", BOTH)
    looked_at = second.spec_of("ann", "default", "base")
    taken = await second.find_or_open("ann", "default", "base")
    (told,) = taken.take_remarks()

    assert looked_at.environment == taken.spec.environment == "node"
    assert "kept with its files and its environment, node; this server's own is base" in told
    assert (await second.find_or_open("ann", "default", "base")).take_remarks() == ()


async def test_one_of_the_servers_own_environment_has_nothing_to_say(server: Make) -> None:
    taken = await server("node", BOTH).find_or_open("ann", "default", "node")

    assert taken.take_remarks() == ()


async def test_a_new_one_tells_of_the_one_that_this_server_cannot_have(server: Make) -> None:
    new = await server("base", {"base": SPEC}).find_or_open("ann", "default", "base")
    (told,) = new.take_remarks()

    assert "a session default of the environment node is kept, which this server does not offer" in told
    again = await server("node", BOTH).find_or_open("ann", "default", "node")
    assert again.id != new.id
    assert again.spec.environment == "node"
