"""What one session may take, at a gate whose limits are small: it is refused in words, and its neighbour is not."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.egress.world.sandbox import Answer, Http2, http2_get
from tests.egress.world.town import Guest, Town, opened

LIMITS = {"connections": 16, "tls_per_second": 0.5, "tls_burst": 6, "upload_mb": 1, "download_mb": 2}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with opened(tmp_path_factory.mktemp("small"), limits=LIMITS) as made:
        yield made


def connect(guest: Guest) -> Answer:
    with guest.dial() as sandbox:
        return sandbox.connect(guest.at("allowed.test"))


def test_many_new_connections_wait_and_too_many_are_refused(small: Town) -> None:
    greedy, neighbour = small.session("allowed.test"), small.session("allowed.test")
    for _ in range(6):
        assert connect(greedy).status == 200
    with ThreadPoolExecutor(14) as threads:
        answers = list(threads.map(connect, [greedy] * 14))
        assert connect(neighbour).status == 200

    refused = [answer for answer in answers if answer.status == 429]
    assert refused
    assert refused[0].rule == "egress.limit"
    assert "0.5 connections a second" in refused[0].headers["x-sandgate-error"]
    assert "0.5 connections a second" in refused[0].headers[":reason"]  # which is what curl shows of it
    assert len(refused) < len(answers)  # the others had to wait, and then had their turn


def test_the_number_of_connections_is_the_operators(small: Town) -> None:
    greedy = small.session("allowed.test")
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(greedy.dial()) for _ in range(17)]
        assert "16 connections" in lines[16].answer().json["reason"]


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_session_without_bytes_left_is_cut_and_then_refused(small: Town, way: str) -> None:
    guest, neighbour = small.session("allowed.test"), small.session("allowed.test")
    at, size = guest.at("allowed.test"), 5_000_000
    with guest.tunnel("allowed.test") as sandbox:
        if way == "up":
            answer = sandbox.ask(
                f"POST /x HTTP/1.1\r\nHost: {at}\r\nContent-Length: {size}\r\n\r\n".encode() + bytes(size)
            )
            assert answer.status == 0
        else:
            assert len(sandbox.get(at, f"/big?{size}").body) < size
    with guest.tunnel("allowed.test") as sandbox:
        after = sandbox.get(at)
    with neighbour.tunnel("allowed.test") as sandbox:
        assert sandbox.get(at).status == 200

    assert after.rule == "egress.limit"
    assert f"{way}load_mb allows" in after.json["reason"].replace("sent", "up")
    assert guest.flow()[f"bytes_{way}"] < 2_500_000


@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
def test_what_leaves_in_heads_and_paths_is_counted_as_well(small: Town, protocol: str) -> None:
    guest = small.session("allowed.test")
    at, held = guest.at("allowed.test"), "x" * 50_000
    with guest.tunnel("allowed.test", protocols=(protocol,)) as sandbox:
        speaker = Http2(sandbox) if protocol == "h2" else None
        for number in range(21):
            path = f"/{number}?{held}"
            answer = speaker.ask(http2_get(at, path)) if speaker else sandbox.get(at, path)
            if answer.status != 200:
                break

    assert (answer.rule, number) == ("egress.limit", 19)  # the million is over with the twentieth
    assert b"/19?" not in small.arrived
    assert guest.flow(path="/0")["bytes_up"] > len(held)


def test_limits_that_make_no_sense_are_refused(small: Town) -> None:
    told = small.gate.ask(op="configure", limits={"connections": 0})

    assert not told["ok"]
    assert "connections" in told["error"]
