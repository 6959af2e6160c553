"""Secrets through a real gate: an origin that notes what it is sent and echoes it, and a sandbox that tries everything."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.egress.test_gate import UPGRADE
from tests.egress.world.sandbox import Answer, Http2, http2_get
from tests.egress.world.town import Guest, Town

VALUE = 'sk-live/"Zq+81=x&<y>-0123456789'
PLACEHOLDER = "sk-sandgate_" + "0123456789abcdef" * 2
STRANGER = "sandgate_" + "f" * 32


def _told(town: Town, **more: object) -> dict[str, object]:
    where = {"host": f"allowed.test:{town.secure.port}", "headers": ["authorization", "x-api-key"], "paths": []}
    return {"name": "key", "value": VALUE, **where, **more}


@pytest.fixture
def guest(town: Town) -> Iterator[Guest]:
    assert town.gate.ask(op="secrets", secrets=[_told(town)])["ok"]
    yield town.session("allowed.test", "other.test", "allowed.test:80", placeholders={"key": PLACEHOLDER})
    assert town.gate.ask(op="secrets", secrets=[])["ok"]


def ask(
    guest: Guest,
    path: str = "/echo",
    more: str = f"Authorization: Bearer {PLACEHOLDER}\r\n",
    host: str = "allowed.test",
) -> Answer:
    with guest.tunnel(host) as sandbox:
        return sandbox.get(guest.at(host), path, more)


def unseen(answer: Answer) -> bool:
    """Whether nothing of the secret is in the answer, in any form that a program could undo."""
    everything = repr(answer.headers).encode() + answer.body
    return all(
        form not in everything for form in (VALUE.encode(), b"Zq+81", b"Zq%2B81", base64.b64encode(VALUE.encode())[:12])
    )


@pytest.mark.promise("secrets.outside")
def test_the_origin_gets_the_secret_and_the_sandbox_sees_asterisks(town: Town, guest: Guest) -> None:
    answer = ask(guest)

    assert f"Authorization: Bearer {VALUE}\r\n".encode() in town.arrived
    assert PLACEHOLDER.encode() not in town.arrived
    assert answer.status == 200
    assert b"Authorization: Bearer " + b"*" * len(VALUE) in answer.body
    assert guest.flow(path="/echo")["secrets"] == ["key"]


@pytest.mark.promise("secrets.outside")
def test_basic_authentication_is_opened_and_closed_again(town: Town, guest: Guest) -> None:
    login = base64.b64encode(f"me:{PLACEHOLDER}".encode()).decode()
    answer = ask(guest, "/echo", f"Authorization: Basic {login}\r\n")

    assert b"Authorization: Basic " + base64.b64encode(f"me:{VALUE}".encode()) in town.arrived
    assert answer.status == 200
    assert unseen(answer)
    assert base64.b64encode(f"me:{VALUE}".encode())[8:] not in answer.body


@pytest.mark.promise("secrets.outside")
def test_over_http2_it_is_the_same_trailers_included(town: Town, guest: Guest) -> None:
    with guest.tunnel("allowed.test", protocols=("h2",)) as sandbox:
        answer = Http2(sandbox).ask([*http2_get(guest.at("allowed.test"), "/echo-h2"), ("x-api-key", PLACEHOLDER)])

    assert f"x-api-key: {VALUE}\n".encode() in town.arrived
    assert (answer.status, answer.headers["x-echo"].count("*")) == (200, len(VALUE))
    assert unseen(answer)


@pytest.mark.promise("secrets.outside")
@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
def test_no_part_of_an_answer_is_asked_for_where_a_secret_goes(town: Town, guest: Guest, protocol: str) -> None:
    place = f"/echo?part-{protocol}"
    with guest.tunnel("allowed.test", protocols=(protocol,)) as sandbox:
        if protocol == "h2":
            parts = [("range", "bytes=60-90"), ("if-range", '"x"')]
            Http2(sandbox).ask([*http2_get(guest.at("allowed.test"), place), *parts])
        else:
            sandbox.get(guest.at("allowed.test"), place, 'Range: bytes=60-90\r\nIf-Range: "x"\r\n')

    (head,) = (head for heard in town.secure.heard for head in heard.heads if place.encode() in head)
    assert b"range" not in head.lower()


@pytest.mark.promise("secrets.outside")
def test_a_websocket_shakes_hands_with_it_and_its_frames_are_masked(town: Town, guest: Guest) -> None:
    compressed = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
    with guest.tunnel("allowed.test") as sandbox:
        assert (
            sandbox.get(guest.at("allowed.test"), "/ws", f"{UPGRADE}{compressed}X-Api-Key: {PLACEHOLDER}\r\n").status
            == 101
        )
        sandbox.say(b"\x82\x20" + VALUE.encode()[:16])
        first = sandbox.read(2)
        sandbox.say(VALUE.encode()[16:] + b"!")
        rest = sandbox.read(len(VALUE) + 1)

    head = next(
        head for heard in town.secure.heard for head in heard.heads if b"GET /ws" in head and VALUE.encode() in head
    )
    assert b"deflate" not in head
    assert (first, rest) == (b"\x82\x20", b"*" * len(VALUE) + b"!")


@pytest.mark.promise("secrets.outside")
def test_an_echo_byte_by_byte_in_a_header_and_in_the_reason_is_masked(guest: Guest) -> None:
    answer = ask(guest, "/bytewise")

    assert answer.status == 200
    assert answer.body.count(b"*") == len(VALUE)
    assert unseen(answer)


@pytest.mark.promise("secrets.outside")
@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "deflate"])
def test_an_answer_that_comes_compressed_all_the_same_is_opened_and_masked(
    town: Town, guest: Guest, encoding: str
) -> None:
    answer = ask(guest, f"/encoded?{encoding}", f"Authorization: {PLACEHOLDER}\r\nAccept-Encoding: {encoding}\r\n")

    assert b"*" * len(VALUE) in answer.body
    assert b"accept-encoding: identity" in answer.body.lower()
    assert "content-encoding" not in answer.headers
    assert unseen(answer)


@pytest.mark.promise("secrets.outside")
@pytest.mark.parametrize("encoding", ["compress", "gzip,%20gzip"])
def test_an_answer_that_nobody_can_look_through_is_not_passed(guest: Guest, encoding: str) -> None:
    with guest.tunnel("allowed.test") as sandbox:
        answer = sandbox.get(guest.at("allowed.test"), f"/encoded?{encoding}", f"Authorization: {PLACEHOLDER}\r\n")

    assert answer.status == 0
    assert unseen(answer)


@pytest.mark.promise("secrets.outside")
def test_an_answer_that_is_no_http_is_not_quoted(guest: Guest) -> None:
    answer = ask(guest, "/garbage")
    with guest.tunnel("allowed.test", protocols=("http/1.1",)) as sandbox:
        again = sandbox.get(guest.at("allowed.test"), "/garbage", f"X-Api-Key: {PLACEHOLDER}\r\n")

    assert (answer.status, again.status) == (502, 502)
    assert unseen(answer)
    assert unseen(again)


ELSEWHERE = {
    "another host": ("other.test", "/k-elsewhere", f"Authorization: Bearer {PLACEHOLDER}\r\n"),
    "another header": ("allowed.test", "/k-elsewhere", f"X-Other: {PLACEHOLDER}\r\n"),
    "a cookie": ("allowed.test", "/k-elsewhere", f"Cookie: a={PLACEHOLDER}\r\n"),
    "the path": ("allowed.test", f"/k-elsewhere/{PLACEHOLDER}", ""),
    "the query": ("allowed.test", f"/k-elsewhere?key={PLACEHOLDER}", ""),
    "the query, escaped": ("allowed.test", f"/k-elsewhere?key=%73k-sandgate%5F{PLACEHOLDER[12:]}", ""),
    "a header's name": ("allowed.test", "/k-elsewhere", f"X-{PLACEHOLDER}: 1\r\n"),
    "basic to another host": (
        "other.test",
        "/k-elsewhere",
        f"Authorization: Basic {base64.b64encode(PLACEHOLDER.encode()).decode()}\r\n",
    ),
    "not whole": ("allowed.test", "/k-elsewhere", f"Authorization: {PLACEHOLDER[3:]}\r\n"),
    "another session's": ("allowed.test", "/k-elsewhere", f"Authorization: {STRANGER}\r\n"),
}


@pytest.mark.promise("secrets.outside")
@pytest.mark.parametrize("case", ELSEWHERE)
def test_elsewhere_a_placeholder_is_refused_and_recorded(town: Town, guest: Guest, case: str) -> None:
    host, path, more = ELSEWHERE[case]
    answer = ask(guest, path, more, host)

    assert (answer.status, answer.rule) == (403, "egress.secret")
    assert b"k-elsewhere" not in town.arrived
    assert VALUE not in json.dumps(guest.refused(rule="egress.secret"))


@pytest.mark.promise("secrets.outside")
def test_without_tls_it_stays_a_refusal(town: Town, guest: Guest) -> None:
    where = f"allowed.test:{town.plain.port}"
    with guest.dial() as sandbox:
        plain = sandbox.ask(
            f"GET http://{where}/k-plain HTTP/1.1\r\nHost: {where}\r\nAuthorization: {PLACEHOLDER}\r\n\r\n"
        )

    assert plain.rule == "egress.secret"
    assert "without TLS" in plain.json["reason"]
    assert b"k-plain" not in town.arrived


@pytest.mark.promise("secrets.outside")
def test_an_origin_whose_certificate_is_wrong_never_hears_it(town: Town) -> None:
    told = _told(town, host=f"static.test:{town.secure.port}")
    assert town.gate.ask(op="secrets", secrets=[told])["ok"]
    guest = town.session("static.test", placeholders={"key": PLACEHOLDER})
    answer = ask(guest, "/k-impostor", host="static.test")
    town.gate.ask(op="secrets", secrets=[])

    assert answer.status == 502
    assert b"k-impostor" not in town.arrived


@pytest.mark.promise("secrets.outside")
def test_in_a_body_it_is_found_over_the_borders_of_chunks_and_answered(town: Town, guest: Guest) -> None:
    at, half = guest.at("allowed.test"), len(PLACEHOLDER) // 2
    first, second = PLACEHOLDER[:half], PLACEHOLDER[half:]
    with guest.tunnel("allowed.test") as sandbox:
        sandbox.say(f"POST /k-body HTTP/1.1\r\nHost: {at}\r\nTransfer-Encoding: chunked\r\n\r\n{half:x}\r\n{first}\r\n")
        answer = sandbox.ask(f"{len(second):x}\r\n{second}\r\n0\r\n\r\n")
    with guest.tunnel("allowed.test", protocols=("h2",)) as sandbox:
        http2 = Http2(sandbox).ask(http2_get(at, "/k-body2", "POST"), b"{" + PLACEHOLDER.encode() + b"}")

    assert (answer.rule, http2.rule) == ("egress.secret", "egress.secret")
    assert "body" in answer.json["reason"]
    assert guest.flow(path="/k-body")["status"] == 403


@pytest.mark.promise("secrets.outside")
def test_paths_bind_a_secret(town: Town, guest: Guest) -> None:
    assert town.gate.ask(op="secrets", secrets=[_told(town, paths=["/v1/**"])])["ok"]

    assert ask(guest, "/v1/x").status == 200
    assert ask(guest, "/v2/x").rule == "egress.secret"
    assert ask(guest, "/v1/../v2/x").rule == "egress.secret"


def test_a_new_value_holds_from_the_next_request_and_the_old_one_stays_masked(town: Town, guest: Guest) -> None:
    ask(guest)
    assert town.gate.ask(op="secrets", secrets=[_told(town, value="a-new-value-00")])["ok"]
    answer = ask(guest, "/echo", f"Authorization: {PLACEHOLDER}\r\nX-Old: {VALUE}\r\n")

    assert b"Authorization: a-new-value-00" in town.arrived
    assert answer.body.count(b"*") == len(VALUE) + len("a-new-value-00")


def test_a_secret_without_a_value_says_why(town: Town, guest: Guest) -> None:
    assert town.gate.ask(op="secrets", secrets=[_told(town, value=None, lack="its file cannot be read.")])["ok"]

    assert "its file cannot be read" in ask(guest).json["reason"]


def test_two_sessions_have_the_same_secret_under_names_of_their_own(town: Town, guest: Guest) -> None:
    neighbour = town.session("allowed.test", placeholders={"key": STRANGER})

    assert ask(neighbour, "/echo", f"Authorization: {STRANGER}\r\n").status == 200
    assert ask(neighbour).rule == "egress.secret"


@pytest.mark.promise("secrets.outside")
def test_what_streams_past_a_secret_stays_as_it_was_and_is_not_held(town: Town, guest: Guest) -> None:
    size, before = 20_000_000, town.gate.memory_mb()
    answer = ask(guest, f"/big?{size}")

    assert answer.body == b"\xa5" * size
    assert town.gate.memory_mb() - before < 15


@pytest.mark.promise("secrets.outside")
def test_the_gates_arguments_and_environment_say_nothing(town: Town, guest: Guest) -> None:
    ask(guest)
    proc = Path(f"/proc/{town.gate.process.pid}")

    assert not [name for name in ("cmdline", "environ") if VALUE.encode() in proc.joinpath(name).read_bytes()]


def test_a_secret_that_cannot_be_meant_is_refused_without_its_value(town: Town) -> None:
    bad: list[dict[str, object]] = [
        {"host": "allowed.test:80"},
        {"headers": []},
        {"paths": ["x"]},
        {"value": f"{VALUE}\r\nX: y"},
        {"value": "short"},
        {"host": "*.x"},
    ]
    for more in bad:
        told = town.gate.ask(op="secrets", secrets=[_told(town, **more)])
        assert not told["ok"]
        assert "key" in told["error"]
        assert "sk-live" not in told["error"]
