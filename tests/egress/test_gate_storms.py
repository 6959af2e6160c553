"""One sandbox storms the gate: its neighbour is answered all the same, the gate stays small, and afterwards all is well."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import h2.config
import h2.connection
import hyperframe.frame
import pytest

from tests.egress.world.sandbox import Sandbox, http2_get
from tests.egress.world.town import Guest, Town, opened
from tests.waiting import until

GROWTH_MB = 60  # of the whole process, with a storm in it


def rapid_reset(guest: Guest, stack: contextlib.ExitStack) -> None:
    """2,000 HTTP/2 requests, each taken back at once (CVE-2023-44487)."""
    sandbox = stack.enter_context(guest.tunnel("allowed.test", protocols=("h2",)))
    speaker = h2.connection.H2Connection(h2.config.H2Configuration())
    speaker.initiate_connection()
    with contextlib.suppress(OSError):
        for _ in range(2000):
            stream = speaker.get_next_available_stream_id()
            speaker.send_headers(stream, http2_get(guest.at("allowed.test"), "/reset"), end_stream=True)
            speaker.reset_stream(stream)
            sandbox.say(speaker.data_to_send())


def continuation_flood(guest: Guest, stack: contextlib.ExitStack) -> None:
    """A head of 32 MB in CONTINUATION frames that never ends (CVE-2024-27316)."""
    sandbox = stack.enter_context(guest.tunnel("allowed.test", protocols=("h2",)))
    speaker = h2.connection.H2Connection(h2.config.H2Configuration())
    speaker.initiate_connection()
    head = hyperframe.frame.HeadersFrame(1, b"\x82\x87\x84")
    more = hyperframe.frame.ContinuationFrame(1, b"\x00\x01a\x7f\x81\x7f" + b"b" * 16000)
    with contextlib.suppress(OSError):
        sandbox.say(speaker.data_to_send() + head.serialize())
        for _ in range(2000):
            sandbox.say(more.serialize())


def header_bomb(guest: Guest, stack: contextlib.ExitStack) -> None:
    """A few bytes of HPACK that stand for the same large header again and again."""
    sandbox = stack.enter_context(guest.tunnel("allowed.test", protocols=("h2",)))
    speaker = h2.connection.H2Connection(h2.config.H2Configuration())
    speaker.initiate_connection()
    fields = [*http2_get(guest.at("allowed.test"), "/bomb"), *[("x-large", "a" * 3900)] * 4000]
    with contextlib.suppress(OSError, h2.exceptions.ProtocolError):
        speaker.send_headers(1, fields, end_stream=True)
        sandbox.say(speaker.data_to_send())


def slow_heads(guest: Guest, stack: contextlib.ExitStack) -> None:
    """100 heads, a byte now and then."""
    lines = [stack.enter_context(guest.dial()) for _ in range(100)]
    for text in ("GET", " http://a", "llowed"):
        for line in lines:
            with contextlib.suppress(OSError):
                line.say(text)


def stalled_origins(guest: Guest, stack: contextlib.ExitStack) -> None:
    """60 requests that their origin never answers."""
    for _ in range(60):
        sandbox = stack.enter_context(guest.tunnel("allowed.test"))
        sandbox.say(f"GET /stall HTTP/1.1\r\nHost: {guest.at('allowed.test')}\r\n\r\n")


def thousands_of_connections(guest: Guest, stack: contextlib.ExitStack) -> None:
    """3,000, none of which says anything; those beyond the limit are told so."""
    for number in range(3000):
        with contextlib.suppress(OSError):  # a full backlog is an answer, too
            line = guest.dial()
            if number < 200:
                stack.enter_context(line)
            else:
                line.sock.close()


def refused_names(guest: Guest, stack: contextlib.ExitStack) -> None:
    """2,000 requests to names that nobody allowed."""
    sandbox = stack.enter_context(guest.dial())
    for number in range(2000):
        name = f"h{number}.denied.test"
        sandbox.ask(f"GET http://{name}/ HTTP/1.1\r\nHost: {name}\r\n\r\n")


def half_open(guest: Guest, stack: contextlib.ExitStack) -> None:
    """80 that ask, say no more, and never read."""
    for _ in range(80):
        sandbox = stack.enter_context(guest.tunnel("allowed.test"))
        sandbox.say(f"GET /big?3000000 HTTP/1.1\r\nHost: {guest.at('allowed.test')}\r\n\r\n")


def pipelined_refusals(guest: Guest, stack: contextlib.ExitStack) -> None:
    """100 connections with 4,000 requests each to a name that nobody allowed, whose answers nobody reads."""
    request = b"GET http://denied.test/ HTTP/1.1\r\nHost: denied.test\r\n\r\n"
    for _ in range(100):
        sandbox = stack.enter_context(guest.dial())
        sandbox.sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            sandbox.say(request * 4000)


def pings(guest: Guest, stack: contextlib.ExitStack) -> None:
    """20 connections with 20,000 HTTP/2 pings each, whose answers nobody reads (CVE-2019-9512)."""
    for _ in range(20):
        sandbox = stack.enter_context(guest.tunnel("allowed.test", protocols=("h2",)))
        speaker = h2.connection.H2Connection(h2.config.H2Configuration())
        speaker.initiate_connection()
        sandbox.say(speaker.data_to_send())
        sandbox.sock.setblocking(False)
        with contextlib.suppress(OSError):
            for _ in range(200):
                sandbox.say(hyperframe.frame.PingFrame(0, b"12345678").serialize() * 100)


def leavers(guest: Guest, stack: contextlib.ExitStack) -> None:
    """400 that ask and are gone before anybody could answer."""
    where = f"allowed.test:{guest.town.plain.port}"
    for host in (where, guest.at("allowed.test"), guest.at("denied.test"), "allowed.test:1"):
        for method in ("GET", "CONNECT"):
            for _ in range(50):
                with contextlib.suppress(OSError), guest.dial() as sandbox:
                    target = host if method == "CONNECT" else f"http://{host}/left"
                    sandbox.say(f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")


STORMS: list[Callable[[Guest, contextlib.ExitStack], None]] = [
    rapid_reset,
    continuation_flood,
    header_bomb,
    slow_heads,
    stalled_origins,
    thousands_of_connections,
    refused_names,
    half_open,
    pipelined_refusals,
    pings,
    leavers,
]


@pytest.mark.promise("egress.neighbours")
@pytest.mark.parametrize("storm", STORMS, ids=lambda storm: storm.__name__)
def test_beside_a_storm_a_neighbour_is_answered_and_the_gate_stays_small(
    own_town: Town, storm: Callable[[Guest, contextlib.ExitStack], None]
) -> None:
    greedy, neighbour = own_town.session("allowed.test"), own_town.session("allowed.test")
    before, began = own_town.gate.memory_mb(), time.monotonic()
    with contextlib.ExitStack() as stack:
        storm(greedy, stack)
        with neighbour.tunnel("allowed.test") as sandbox:
            assert sandbox.get(neighbour.at("allowed.test")).status == 200
        assert own_town.gate.memory_mb() - before < GROWTH_MB
        told = own_town.gate.events("refused", greedy.name)
        assert len(told) <= 21 * (time.monotonic() - began + 2)  # so many a second, however slow the machine
    until(lambda: _answered(greedy))


def _answered(guest: Guest) -> bool:
    with contextlib.suppress(AssertionError, OSError), guest.tunnel("allowed.test") as sandbox:
        return bool(sandbox.get(guest.at("allowed.test")).status == 200)
    return False


def test_after_all_of_them_no_parser_gave_up(own_town: Town, tmp_path: Path) -> None:
    with opened(tmp_path) as made:
        with contextlib.ExitStack() as stack:
            for storm in (rapid_reset, continuation_flood, header_bomb, leavers):
                storm(made.session("allowed.test", "allowed.test:80", "allowed.test:1"), stack)
        with made.session("allowed.test").dial() as sandbox:
            assert isinstance(sandbox, Sandbox)

    assert "gave up" not in made.gate.log
    assert "Traceback" not in made.gate.log
