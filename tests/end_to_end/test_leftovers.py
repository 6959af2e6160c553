"""Whatever dies first: a while later there is no container, gate, socket or process of that server."""

import signal
from pathlib import Path

import pytest

from tests.end_to_end.rig import Home, RawServer
from tests.waiting import until

pytestmark = pytest.mark.promise("nothing.left")

GRACE = "[sandbox]\ngrace_s = 2\n"
# What weighs sandboxes is made whenever the engine's disk has changed. One that is being made in the very moment of a kill
# cannot end itself, and goes with the next server.
UNWEIGHED = "weigh_disks = false\n"


@pytest.fixture
def home(own_folder: Path) -> Home:
    return Home(own_folder, settings=GRACE)


def busy(home: Home) -> RawServer:
    """A server with a session, a running command, a warm sandbox and a gate."""
    server = RawServer.start(home)
    assert server.shell("echo ready; sleep 300", wait_s=0.5)["structuredContent"]["status"] == "running"
    # One that is still being made cannot end itself, nor take its socket away: it goes with the next server (test_orphans.py).
    until(lambda: len(home.audit("sandbox.created")) == 2, "the second sandbox never became warm")
    until(lambda: bool(home.sockets()), "the gate never listened")
    return server


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_everything_before_the_process_ends(home: Home, number: int) -> None:
    server = busy(home)

    assert server.end(number) == 128 + number
    assert home.containers() == []
    home.wait_until_nothing_is_left()


def test_a_client_that_closes_stdin_ends_everything(home: Home) -> None:
    server = busy(home)
    assert server.process.stdin is not None
    server.process.stdin.close()

    assert server.wait() == 0
    assert home.containers() == []
    home.wait_until_nothing_is_left()


def test_a_signal_that_comes_while_it_ends_cuts_nothing_short(home: Home) -> None:
    """Clients send one where a server is still there two seconds after they closed its stdin."""
    server = busy(home)
    server.shell("head -c 100000000 /dev/urandom > large")
    assert server.process.stdin is not None
    server.process.stdin.close()
    until(lambda: bool(home.audit("session.frozen")), "it does not end")
    server.process.send_signal(signal.SIGTERM)

    assert server.wait() == 0
    assert home.containers() == []
    assert [line["kind"] for line in home.audit()][-1] == "server.ended"
    home.remove_images()


def test_after_kill_9_the_sandboxes_and_the_gate_end_by_themselves(own_folder: Path) -> None:
    home = Home(own_folder, settings=GRACE + UNWEIGHED)
    server = busy(home)
    server.end(signal.SIGKILL)

    home.wait_until_nothing_is_left()


def test_what_weighs_sandboxes_ends_with_its_server(own_folder: Path) -> None:
    home = Home(own_folder, settings=f"{GRACE}disk_mb = 64\nidle = 0\n")
    server = RawServer.start(home)
    full = server.shell("fallocate -l 100M full; sleep 60")["structuredContent"]
    assert full["status"] == "disk_full"
    assert len(home.containers()) == len(home.sandboxes()) + 1

    server.end(signal.SIGKILL)
    home.wait_until_nothing_is_left()


@pytest.mark.promise("result.truthful")
def test_the_next_server_tells_how_a_job_of_the_lost_one_ended_and_what_it_had_said(home: Home) -> None:
    lost = RawServer.start(home)
    assert lost.begin("said") == "j1"
    lost.end(signal.SIGKILL)

    following = RawServer.start(home)
    answer = following.ask("tools/call", {"name": "job_output", "arguments": {"job": "j1"}})
    following.end(signal.SIGTERM)

    assert answer["content"][0]["text"].startswith("said\n")
    assert "job j1 killed (the server was lost)" in answer["content"][0]["text"]


def test_a_server_that_was_only_asked_for_its_tools_made_nothing(home: Home) -> None:
    server = RawServer.start(home)
    server.ask("tools/list", {})

    assert home.containers() == []
    assert home.sockets() == []
    server.end(signal.SIGTERM)


def test_a_closed_session_takes_its_container_with_it(home: Home) -> None:
    server = busy(home)
    before = home.sandboxes()
    server.ask("tools/call", {"name": "session_close", "arguments": {}})

    until(lambda: len(home.sandboxes()) == len(before) - 1, "the session's container is still there")
    server.end(signal.SIGTERM)
