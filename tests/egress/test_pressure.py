"""What HTTP/2 could make the gate hold: data for peers that open no window, and heads of requests that never end."""

import contextlib
import functools

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest

from egress.pressure import LOOK_EVERY_S, Pressure, Total
from egress.session import MOST_FLIGHTS
from tests.egress.world.sandbox import Http2, Sandbox, http2_get
from tests.egress.world.town import Guest, Town
from tests.waiting import until

GROWTH_MB = 40


def speaker(window: int) -> h2.connection.H2Connection:
    made = h2.connection.H2Connection(h2.config.H2Configuration())
    plain = functools.partial(made.encoder.encode, huffman=False)  # the other way takes our end too long
    made.encoder.encode = plain  # type: ignore[method-assign]
    made.initiate_connection()
    made.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
    return made


def answered(guest: Guest) -> bool:
    with guest.tunnel("allowed.test") as sandbox:
        return sandbox.get(guest.at("allowed.test")).status == 200


@pytest.mark.promise("egress.neighbours")
def test_what_a_client_does_not_take_is_not_read_from_the_origin_and_all_of_it_comes_when_it_does(
    own_town: Town,
) -> None:
    greedy, neighbour = own_town.session("allowed.test"), own_town.session("allowed.test")
    before, size = own_town.gate.memory_mb(), 200_000_000
    with greedy.tunnel("allowed.test", protocols=("h2",)) as sandbox:
        client = speaker(window=0)
        client.send_headers(1, http2_get(greedy.at("allowed.test"), f"/big?{size}"), end_stream=True)
        sandbox.say(client.data_to_send())
        assert [answered(neighbour) for _ in range(20)] == [True] * 20  # it has had time to take it all
        assert own_town.gate.memory_mb() - before < GROWTH_MB
        assert taken(sandbox, client, 30_000_000) >= 30_000_000

    assert own_town.gate.memory_mb() - before < GROWTH_MB


def taken(sandbox: Sandbox, client: h2.connection.H2Connection, size: int) -> int:
    """Open the windows and read so much."""
    client.increment_flow_control_window(2**30, 1)
    client.increment_flow_control_window(2**30)
    sandbox.say(client.data_to_send())
    got = 0
    while got < size and (data := sandbox.sock.recv(65536)):
        got += sum(len(event.data) for event in client.receive_data(data) if isinstance(event, h2.events.DataReceived))
    return got


@pytest.mark.promise("egress.neighbours")
def test_what_an_origin_does_not_take_is_not_read_from_the_sandbox(own_town: Town) -> None:
    greedy, neighbour = own_town.session("allowed.test"), own_town.session("allowed.test")
    before, sent = own_town.gate.memory_mb(), 0
    with greedy.tunnel("allowed.test", protocols=("h2",)) as sandbox:
        client = speaker(window=2**20)
        client.send_headers(1, http2_get(greedy.at("allowed.test"), "/stall", "POST"))
        sandbox.sock.settimeout(1)
        frame = b"\x00\x40\x00\x00\x00\x00\x00\x00\x01" + bytes(16384)  # DATA, which needs no window of the gate's
        with contextlib.suppress(TimeoutError):
            sandbox.say(client.data_to_send())
            while sent < 200_000_000:
                sandbox.say(frame)
                sent += len(frame)
        assert answered(neighbour)
        assert own_town.gate.memory_mb() - before < GROWTH_MB

    assert sent < 50_000_000


@pytest.mark.promise("egress.neighbours")
def test_what_waits_for_an_origin_that_takes_one_request_at_a_time_is_held_where_it_is_small(own_town: Town) -> None:
    greedy, neighbour = own_town.session("allowed.test"), own_town.session("allowed.test")
    before, at = own_town.gate.memory_mb(), greedy.at("allowed.test")
    with greedy.tunnel("allowed.test", protocols=("h2",)) as sandbox:
        client = speaker(window=2**20)
        client.send_headers(1, http2_get(at, "/alone", "POST"))
        sandbox.say(client.data_to_send())
        assert answer(sandbox, client, 1) == "200"  # and by now the gate knows that no other may begin
        for stream in (3, 5):
            client.send_headers(stream, http2_get(at, f"/waits{stream}", "POST"))
        client.send_data(3, b"little", end_stream=True)
        sandbox.say(client.data_to_send())
        for _ in range(6000):
            sandbox.say(b"\x00\x40\x00\x00\x00\x00\x00\x00\x05" + bytes(16384))
        assert answer(sandbox, client, 5) == "502"
        assert answered(neighbour)
        assert own_town.gate.memory_mb() - before < GROWTH_MB
        client.end_stream(1)
        sandbox.say(client.data_to_send())
        assert answer(sandbox, client, 3) == "200"
    assert b":path: /waits5" not in own_town.arrived


def answer(sandbox: Sandbox, client: h2.connection.H2Connection, stream: int) -> str:
    """The status of it."""
    while data := sandbox.sock.recv(65536):
        for event in client.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived) and event.stream_id == stream:
                return bytes(dict(event.headers)[b":status"]).decode()
    return ""


@pytest.mark.promise("egress.neighbours")
def test_a_body_in_frames_of_a_byte_takes_no_more_room_than_its_bytes(own_town: Town) -> None:
    greedy, neighbour = own_town.session("allowed.test"), own_town.session("allowed.test")
    with greedy.tunnel("allowed.test", protocols=("h2",)) as sandbox:
        client = speaker(window=2**20)
        client.send_headers(1, http2_get(greedy.at("allowed.test"), "/stall", "POST"))
        sandbox.say(client.data_to_send())
        until(lambda: b":path: /stall" in own_town.arrived)
        before = own_town.gate.memory_mb()
        for _ in range(1500):  # the origin's window is full after a few
            sandbox.say(b"\x00\x00\x01\x00\x00\x00\x00\x00\x01x" * 200)
        assert answered(neighbour)
        assert own_town.gate.memory_mb() - before < 15


@pytest.mark.promise("egress.neighbours")
def test_of_connections_to_an_origin_that_are_over_nothing_is_kept(own_town: Town) -> None:
    where = f"allowed.test:{own_town.old.port}"  # where each request of HTTP/2 has a connection of its own
    with own_town.session(where).dial() as sandbox:
        assert sandbox.connect(where).status == 200
        client = Http2(sandbox.tls("allowed.test", ("h2",)))

        def ask(times: int) -> None:
            assert {client.ask(http2_get(where, "/")).status for _ in range(times)} == {200}

        ask(50)
        before = own_town.gate.memory_mb()
        ask(200)
        assert own_town.gate.memory_mb() - before < 6


@pytest.mark.promise("egress.neighbours")
def test_requests_that_never_end_are_so_many_and_no_more(own_town: Town) -> None:
    greedy, neighbour = own_town.session("allowed.test"), own_town.session("allowed.test")
    before, beyond = own_town.gate.memory_mb(), 7 * 90 - MOST_FLIGHTS
    head = [*http2_get(greedy.at("allowed.test"), "/stall", "POST"), ("x-large", "a" * 3000)]
    with contextlib.ExitStack() as stack:
        for _ in range(7):
            sandbox = stack.enter_context(greedy.tunnel("allowed.test", protocols=("h2",)))
            client = speaker(window=2**20)
            for stream in range(1, 180, 2):
                client.send_headers(stream, head)
            sandbox.say(client.data_to_send())
        until(lambda: refused(own_town, greedy) >= beyond)
        assert answered(neighbour)
        assert own_town.gate.memory_mb() - before < 2 * GROWTH_MB

    assert refused(own_town, greedy) == beyond


def refused(own_town: Town, guest: Guest) -> int:
    return sum(
        event["count"] for event in own_town.gate.events("refused", guest.name) if event["rule"] == "egress.limit"
    )


def test_what_a_session_holds_is_not_counted_anew_by_each_that_waits() -> None:
    asked: list[int] = []

    class One(Pressure):
        def held(self, *, for_client: bool) -> int:
            asked.append(1)
            return 7

    total = Total(lambda: [One(), One()])

    assert [total.at(0.0), total.at(LOOK_EVERY_S / 2), total.at(LOOK_EVERY_S)] == [28, 28, 28]
    assert len(asked) == 8
