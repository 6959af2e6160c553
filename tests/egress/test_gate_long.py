"""What takes a gate long, or much, to live through: for `make soak`, but for the bombs."""

import contextlib
import time

import pytest

from tests.egress.world.origin import BOMB_BYTES, bomb
from tests.egress.world.sandbox import Http2, Sandbox, http2_get
from tests.egress.world.town import Guest, Town

GROWTH_MB = 60


def answered(guest: Guest) -> bool:
    with guest.tunnel("allowed.test") as sandbox:
        return sandbox.get(guest.at("allowed.test")).status == 200


@pytest.mark.promise("egress.neighbours")
@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_an_answer_that_is_a_bomb_is_opened_no_faster_than_it_is_taken(own_town: Town, encoding: str) -> None:
    guest, neighbour = own_town.session("allowed.test"), own_town.session("allowed.test")
    secret = {"name": "key", "value": "0123456789abcdef", "host": guest.at("allowed.test"), "headers": ["x-key"]}
    assert own_town.gate.ask(op="secrets", secrets=[secret])["ok"]
    bomb(encoding)  # made once, before it is waited for
    before, got = own_town.gate.memory_mb(), 0
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            sandbox = stack.enter_context(guest.tunnel("allowed.test"))
            sandbox.say(f"GET /encoded?{encoding}&bomb HTTP/1.1\r\nHost: {guest.at('allowed.test')}\r\n\r\n")
        assert answered(neighbour)
        while got < BOMB_BYTES:
            got += len(sandbox.sock.recv(1 << 20))
        assert own_town.gate.memory_mb() - before < GROWTH_MB  # the others' still wait
    assert own_town.gate.ask(op="secrets", secrets=[])["ok"]
    assert not own_town.gate.events("refused", guest.name)


@pytest.mark.promise("egress.neighbours")
def test_a_bomb_that_is_taken_back_holds_up_nothing_on_its_connection(own_town: Town) -> None:
    guest = own_town.session("allowed.test")
    at = guest.at("allowed.test")
    secret = {"name": "key", "value": "0123456789abcdef", "host": at, "headers": ["x-key"]}
    assert own_town.gate.ask(op="secrets", secrets=[secret])["ok"]
    with guest.tunnel("allowed.test", protocols=("h2",)) as sandbox:
        speaker = Http2(sandbox)
        for _ in range(20):
            speaker.take_back(http2_get(at, "/encoded?gzip&bomb"))
        assert speaker.ask(http2_get(at, "/after")).status == 200
    assert own_town.gate.ask(op="secrets", secrets=[])["ok"]


def test_on_a_connection_that_is_kept_every_large_answer_arrives_however_quickly_it_begins(own_town: Town) -> None:
    guest = own_town.session("allowed.test")
    with guest.tunnel("allowed.test") as sandbox:
        for _ in range(8):
            assert len(sandbox.get(guest.at("allowed.test"), "/big?8000000").body) == 8_000_000


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
