"""What takes a gate long, or much, to live through: for `make soak`, but for the bombs."""

import contextlib
import time

import pytest

from tests.egress.world.sandbox import Sandbox
from tests.egress.world.town import Guest, Town

GROWTH_MB = 60


def answered(guest: Guest) -> bool:
    with guest.tunnel("allowed.test") as sandbox:
        return sandbox.get(guest.at("allowed.test")).status == 200


@pytest.mark.promise("secrets.outside")
@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_an_answer_that_is_a_bomb_is_cut_where_it_has_to_be_opened(own_town: Town, encoding: str) -> None:
    guest, neighbour = own_town.session("allowed.test"), own_town.session("allowed.test")
    secret = {"name": "key", "value": "0123456789abcdef", "host": guest.at("allowed.test"), "headers": ["x-key"]}
    assert own_town.gate.ask(op="secrets", secrets=[secret])["ok"]
    before = own_town.gate.memory_mb()
    with guest.tunnel("allowed.test") as sandbox:
        sandbox.say(f"GET /encoded?{encoding}&bomb HTTP/1.1\r\nHost: {guest.at('allowed.test')}\r\n\r\n")
        got = 0
        with contextlib.suppress(OSError):
            while data := sandbox.sock.recv(65536):
                got += len(data)
        assert answered(neighbour)
    assert own_town.gate.ask(op="secrets", secrets=[])["ok"]

    assert got < 100_000_000
    assert "far larger" in guest.refused(rule="egress.secret")["reason"]
    assert own_town.gate.memory_mb() - before < 2 * GROWTH_MB  # one read's worth of it, opened and looked through


@pytest.mark.soak
@pytest.mark.promise("egress.neighbours")
def test_ten_thousand_connections_from_one_sandbox(own_town: Town) -> None:
    greedy, neighbour = own_town.session("allowed.test"), own_town.session("allowed.test")
    before, turned_away = own_town.gate.memory_mb(), 0
    for _ in range(20):
        with contextlib.ExitStack() as stack:
            for _ in range(500):
                with contextlib.suppress(OSError):  # a full backlog is an answer, too
                    stack.enter_context(greedy.dial()).say("GET http://allowed.test/")
                    turned_away += 1
            assert answered(neighbour)

    assert turned_away > 2000
    assert own_town.gate.memory_mb() - before < GROWTH_MB
    assert len(own_town.gate.events("refused", greedy.name)) < 100


@pytest.mark.soak
@pytest.mark.promise("egress.neighbours")
def test_a_head_that_takes_longer_than_ten_seconds_is_cut_however_slowly_it_comes(own_town: Town) -> None:
    greedy, neighbour = own_town.session("allowed.test"), own_town.session("allowed.test")
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(greedy.dial()) for _ in range(60)]
        lines += [stack.enter_context(greedy.tunnel("allowed.test")) for _ in range(20)]
        for line in lines:
            line.say("GET http://allowed.test/ HTTP/1.1\r\nX: ")
        for _ in range(20):
            time.sleep(1)  # that is how slow they are
            lines = [line for line in lines if trickles(line)]
            assert answered(neighbour)

    assert lines == []
    assert "within 10 seconds" in greedy.refused(rule="egress.limit")["reason"]


def trickles(line: Sandbox) -> bool:
    """Send one more byte; whether the line is still there."""
    line.sock.settimeout(0.01)
    try:
        line.say("x")
        return line.sock.recv(1) != b""
    except TimeoutError:
        return True
    except OSError:
        return False


@pytest.mark.soak
@pytest.mark.promise("egress.neighbours")
def test_half_open_peers_and_origins_that_stall_hold_a_session_up_and_nobody_else(own_town: Town) -> None:
    greedy, neighbour = own_town.session("allowed.test"), own_town.session("allowed.test")
    before = own_town.gate.memory_mb()
    with contextlib.ExitStack() as stack:
        for number in range(120):
            sandbox = stack.enter_context(greedy.tunnel("allowed.test"))
            path = "/stall" if number % 2 else "/big?50000000"
            sandbox.say(f"GET {path} HTTP/1.1\r\nHost: {greedy.at('allowed.test')}\r\n\r\n")
        for _ in range(20):
            assert answered(neighbour)
            time.sleep(0.5)
        assert own_town.gate.memory_mb() - before < GROWTH_MB
    assert answered(greedy)
