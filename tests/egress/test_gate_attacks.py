"""Ways past the gate that were tried on others, each against a real process and an origin that notes what arrives."""

import contextlib
from pathlib import Path

import pytest

from tests.egress.world.certificates import FakeAuthority
from tests.egress.world.origin import Origin
from tests.egress.world.sandbox import Http2, http2_get
from tests.egress.world.town import TABLE, Town


@pytest.mark.promise("egress.only_gate")
def test_a_refused_name_is_neither_dialled_nor_looked_up(town: Town) -> None:
    guest = town.session("allowed.test")
    with guest.tunnel("c06-stolen-data.exfil.test") as sandbox:
        assert sandbox.get(guest.at("c06-stolen-data.exfil.test")).status == 403

    assert not [name for name in town.lookups() if "exfil" in name]


@pytest.mark.promise("egress.only_gate")
def test_a_tunnel_alone_dials_nobody(town: Town) -> None:
    guest = town.session("allowed.test")
    before = len(town.secure.heard)
    with guest.tunnel("allowed.test"), guest.dial() as second:
        second.connect(guest.at("allowed.test"))
        guest.bind("allowed.test")

    assert len(town.secure.heard) == before


@pytest.mark.promise("egress.only_gate")
def test_an_origin_that_switches_protocols_unasked_is_hung_up_on(town: Town) -> None:
    guest = town.session("allowed.test")
    with guest.tunnel("allowed.test") as sandbox:
        sandbox.say(f"GET /switch HTTP/1.1\r\nHost: {guest.at('allowed.test')}\r\n\r\n")
        assert sandbox.ends()

    assert guest.refused(host="allowed.test")["reason"] == "The origin switched protocols unasked."


def test_an_origin_of_an_authority_that_nobody_knows_is_refused_with_the_setting_that_would(
    town: Town, tmp_path: Path
) -> None:
    with contextlib.closing(Origin(FakeAuthority(tmp_path).context("static.test"))) as origin:
        where = f"static.test:{origin.port}"
        guest = town.session(where)
        with guest.dial() as sandbox:
            sandbox.connect(where)
            answer = sandbox.tls("static.test").get(where, "/unknown")

    assert answer.status == 502
    assert "[egress] upstream_ca" in answer.json["reason"]
    assert guest.flow(status=502)["failed"] == answer.json["reason"]
    assert b"/unknown" not in origin.everything


@pytest.mark.promise("egress.no_private")
@pytest.mark.parametrize("name", [n for n in TABLE if n.endswith(".allowed.test") and n != "mixed.allowed.test"])
def test_a_name_that_leads_to_a_private_address_is_refused(town: Town, name: str) -> None:
    guest = town.session("*.allowed.test")
    with guest.tunnel(name) as sandbox:
        answer = sandbox.get(guest.at(name))

    assert (answer.status, answer.rule) == (403, "egress.private_address")
    assert guest.refused(host=name)["rule"] == "egress.private_address"


@pytest.mark.promise("egress.no_private")
def test_of_a_mixed_answer_only_the_listed_address_is_used(town: Town) -> None:
    guest = town.session("*.allowed.test")
    with guest.tunnel("mixed.allowed.test") as sandbox:
        assert sandbox.get(guest.at("mixed.allowed.test")).status == 200


@pytest.mark.promise("egress.no_private")
@pytest.mark.parametrize("literal", ["169.254.169.254", "127.0.0.1", "[::1]", "[::ffff:169.254.169.254]", "0.0.0.0"])
def test_an_address_that_nobody_listed_is_refused(town: Town, literal: str) -> None:
    guest = town.session("allowed.test")
    with guest.dial() as sandbox:
        answer = sandbox.ask(f"GET http://{literal}/latest HTTP/1.1\r\nHost: {literal}\r\n\r\n")

    assert (answer.status, answer.rule) == (403, "egress.not_allowed")


def test_a_listed_address_is_reached(town: Town) -> None:
    guest = town.session("127.0.0.1")
    with guest.dial() as sandbox:
        sandbox.connect(guest.at("127.0.0.1"))
        answer = sandbox.tls("127.0.0.1").get(guest.at("127.0.0.1"))

    assert answer.status == 200


def test_the_operators_host_table_comes_before_dns(town: Town) -> None:
    guest = town.session("static.test:80")
    where = f"static.test:{town.plain.port}"
    with guest.dial() as sandbox:
        answer = sandbox.ask(f"GET http://{where}/static HTTP/1.1\r\nHost: {where}\r\n\r\n")

    assert answer.status == 200
    assert "static.test" not in town.lookups()


BAD_AUTHORITIES = ["%64enied.test:443", ".allowed.test:443", "a" * 300 + ".test:443", "allowed.test:+443", "allowed.test:0",
                   "allowed.test:99999", "0x7f.1:443", "0177.0.0.1:443", "127.1:80", "al lowed.test:443", "allowed..test:443"]  # fmt: skip


@pytest.mark.promise("egress.names_agree")
@pytest.mark.parametrize("authority", BAD_AUTHORITIES)
def test_a_name_that_two_programs_would_read_differently_is_refused(town: Town, authority: str) -> None:
    guest = town.session("allowed.test")
    with guest.dial() as sandbox:
        answer = sandbox.connect(authority)

    assert answer.status == 403
    assert answer.rule in {"egress.bad_name", "egress.protocol"}


@pytest.mark.promise("egress.names_agree")
def test_a_header_smuggled_into_connect_is_refused(town: Town) -> None:
    guest = town.session("allowed.test")
    with guest.dial() as sandbox:
        assert sandbox.ask("CONNECT denied.test:443\r\nX: allowed.test:443 HTTP/1.1\r\n\r\n").rule == "egress.protocol"


@pytest.mark.promise("egress.names_agree")
def test_homoglyphs_are_another_name(town: Town) -> None:
    guest = town.session("allowed.test")
    name = "аllowed.test"  # noqa: RUF001  the first letter is Cyrillic, that is the attack
    with guest.dial() as sandbox:
        answer = sandbox.ask(f"GET http://{name}/N06 HTTP/1.1\r\nHost: {name}\r\n\r\n")

    assert answer.status in {0, 403}
    assert b"N06" not in town.arrived


INSIDE = {
    "L01 fronting": "GET /L01 HTTP/1.1\r\nHost: denied.test\r\n\r\n",
    "L01b other port": "GET /L01b HTTP/1.1\r\nHost: allowed.test:1\r\n\r\n",
    "L01c no host": "GET /L01c HTTP/1.1\r\n\r\n",
    "L01d two hosts": "GET /L01d HTTP/1.1\r\nHost: {at}\r\nHost: denied.test\r\n\r\n",
    "L08 absolute form": "GET https://denied.test/L08 HTTP/1.1\r\nHost: {at}\r\n\r\n",
    "L08b absolute form of the same host": "GET https://{at}/L08b HTTP/1.1\r\nHost: {at}\r\n\r\n",
    "L12 nested CONNECT": "CONNECT denied.test:443 HTTP/1.1\r\nHost: denied.test:443\r\n\r\n",
    "S01 TRACE": "TRACE /S01 HTTP/1.1\r\nHost: {at}\r\n\r\n",
    "S03 two lengths": "POST /S03 HTTP/1.1\r\nHost: {at}\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\nGET /S03smug HTTP/1.1\r\nHost: denied.test\r\n\r\n",
    "S03b length and chunked": "POST /S03b HTTP/1.1\r\nHost: {at}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /S03bsmug HTTP/1.1\r\n\r\n",
    "S04 space before the colon": "POST /S04 HTTP/1.1\r\nHost: {at}\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "S05 odd encoding": "POST /S05 HTTP/1.1\r\nHost: {at}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "S10 h2c": "GET /S10 HTTP/1.1\r\nHost: {at}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n\r\n",
    "S11 upgrade to a tunnel": "GET /S11 HTTP/1.1\r\nHost: {at}\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n",
    "S12 space in the path": "GET /S12 /x HTTP/1.1\r\nHost: {at}\r\n\r\n",
    "S14 no host in 1.0": "GET /S14 HTTP/1.0\r\n\r\n",
    "S15 HTTP/0.9": "GET /S15\r\n\r\n",
    "S18 folded": "GET /S18 HTTP/1.1\r\nHost: {at}\r\nX-A: b\r\n Transfer-Encoding: chunked\r\n\r\n",
    "S19 bare CR": "GET /S19 HTTP/1.1\r\nHost: {at}\r\nX-A: b\rTransfer-Encoding: chunked\r\n\r\n",
    "S20 NUL": "GET /S20 HTTP/1.1\r\nHost: {at}\r\nX-A: b\0c\r\n\r\n",
    "S21 vertical tab": "GET /S21 HTTP/1.1\r\nHost: {at}\r\nX-A: b\x0bc\r\n\r\n",
    "S22 folded host": "GET /S22 HTTP/1.1\r\nHost: {at}\r\n \r\n\r\n",
    "S23 old websocket": "GET /S23 HTTP/1.1\r\nHost: {at}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\n\r\n",
    "S24 odd websocket": "GET /S24 HTTP/1.1\r\nHost: {at}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\u00c0\r\n\r\n",
    "S17 preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


@pytest.mark.promise("egress.names_agree")
@pytest.mark.parametrize("case", INSIDE)
def test_inside_a_tunnel_a_shape_that_could_mean_something_else_is_refused(town: Town, case: str) -> None:
    guest = town.session("allowed.test")
    with guest.tunnel("allowed.test") as sandbox:
        answer = sandbox.ask(INSIDE[case].format(at=guest.at("allowed.test")))

    assert answer.status in {403, 400}
    assert answer.rule in {"egress.mismatch", "egress.protocol"}
    assert f"/{case.split(maxsplit=1)[0]}".encode() not in town.arrived
    assert guest.refused()["rule"] in {"egress.mismatch", "egress.protocol"}


@pytest.mark.promise("egress.names_agree")
def test_http2_authority_must_be_the_tunnels_host(town: Town) -> None:
    guest = town.session("allowed.test")
    with guest.tunnel("allowed.test", protocols=("h2",)) as sandbox:
        http2 = Http2(sandbox)
        fronted = http2.ask(http2_get("denied.test", "/L02"))

    assert fronted.rule == "egress.mismatch"
    assert b"L02" not in town.arrived


@pytest.mark.promise("egress.names_agree")
def test_the_name_in_tls_must_be_the_tunnels_host(town: Town) -> None:
    guest = town.session("allowed.test", "other.test")
    with guest.tunnel("allowed.test", sni="other.test") as sandbox:
        answer = sandbox.get(guest.at("allowed.test"), "/L04")

    assert answer.rule == "egress.mismatch"
    assert b"L04" not in town.arrived


@pytest.mark.promise("egress.names_agree")
def test_in_a_plain_request_the_url_and_host_must_agree(town: Town) -> None:
    guest = town.session("allowed.test:80")
    where = f"allowed.test:{town.plain.port}"
    with guest.dial() as sandbox:
        assert sandbox.ask(f"GET http://{where}/L10 HTTP/1.1\r\nHost: denied.test\r\n\r\n").rule == "egress.mismatch"
    with guest.dial() as sandbox:
        odd = sandbox.ask(f"GET http://{where}#@denied.test/N09 HTTP/1.1\r\nHost: {where}\r\n\r\n")
    with guest.dial() as sandbox:
        user = sandbox.ask(f"GET http://denied.test@{where}/N07 HTTP/1.1\r\nHost: {where}\r\n\r\n")

    assert {odd.status, user.status} <= {0, 403}
    assert not [mark for mark in (b"L10", b"N09", b"N07") if mark in town.arrived]


@pytest.mark.promise("egress.names_agree")
def test_on_one_connection_every_request_is_judged_anew(town: Town) -> None:
    guest = town.session("allowed.test")
    with guest.tunnel("allowed.test") as sandbox:
        first = sandbox.get(guest.at("allowed.test"), "/L17a")
        second = sandbox.get("denied.test", "/L17b")

    assert (first.status, second.status, second.rule) == (200, 403, "egress.mismatch")


@pytest.mark.promise("egress.only_gate")
@pytest.mark.parametrize(
    "raw", [b"SSH-2.0-x\r\n", b"\x00\x01\x02exfil\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"\x05\x01\x00"]
)
def test_what_is_no_http_gets_no_way_through(town: Town, raw: bytes) -> None:
    guest = town.session("allowed.test")
    with guest.tunnel("allowed.test") as inside, guest.dial() as tunnel, guest.dial() as outside:
        tunnel.connect(guest.at("allowed.test"))
        for sandbox in (inside, outside, tunnel):
            sandbox.say(raw)
        assert inside.ends()
        assert outside.ends()
        assert raw.startswith(b"\x16") or tunnel.ends()  # there, it is an unfinished TLS handshake

    assert guest.refused()["rule"] == "egress.protocol"


@pytest.mark.promise("egress.only_gate")
def test_tls_to_the_gate_itself_leads_nowhere(town: Town) -> None:
    guest = town.session("allowed.test")
    with guest.dial() as sandbox, contextlib.suppress(OSError):
        sandbox.tls("allowed.test")
        pytest.fail("it shook hands")


@pytest.mark.promise("egress.only_gate")
@pytest.mark.parametrize(
    "url", ["ftp://allowed.test/S16", "https://allowed.test/S16", "http://mitm.it/", "gopher://x/"]
)
def test_other_schemes_and_mitmproxys_own_pages_are_refused(town: Town, url: str) -> None:
    guest = town.session("allowed.test")
    host = url.split("/")[2]
    with guest.dial() as sandbox:
        answer = sandbox.ask(f"GET {url} HTTP/1.1\r\nHost: {host}\r\n\r\n")

    assert answer.status == 403
    assert b"S16" not in town.arrived


@pytest.mark.promise("egress.neighbours")
@pytest.mark.parametrize(
    ("begins", "goes_on"),
    [(b"5;", b"a=b;" * 10_000), (b"f" * 10_000, b"f" * 40_000), (b"3\r\nabc\r\n0\r\n", b"x-a: b\r\n" * 5_000)],
    ids=["a chunk's first line", "a chunk's size", "trailers"],
)
def test_what_frames_an_upload_and_has_no_end_is_cut(town: Town, begins: bytes, goes_on: bytes) -> None:
    guest, before = town.session("allowed.test"), town.gate.memory_mb()
    head = f"POST /framed HTTP/1.1\r\nHost: {guest.at('allowed.test')}\r\nTransfer-Encoding: chunked\r\n\r\n"
    with guest.tunnel("allowed.test") as sandbox, contextlib.suppress(OSError):
        sandbox.say(head.encode() + begins)
        for _ in range(2_000):
            sandbox.say(goes_on)

    assert town.gate.memory_mb() - before < 10
    assert "What is around a body" in guest.refused(rule="egress.limit")["reason"]


@pytest.mark.promise("egress.neighbours")
@pytest.mark.parametrize("what", ["chunk-line", "trailers"])
def test_what_frames_an_answer_and_has_no_end_is_cut(town: Town, what: str) -> None:
    guest, before = town.session("allowed.test"), town.gate.memory_mb()
    with guest.tunnel("allowed.test") as sandbox:
        sandbox.say(f"GET /endless-{what} HTTP/1.1\r\nHost: {guest.at('allowed.test')}\r\n\r\n")
        said = b""
        while data := sandbox.read(1 << 20):
            said += data

    assert said.endswith(b"hello\r\n")
    assert town.gate.memory_mb() - before < 10


def test_trailers_which_the_parser_cannot_read_end_the_connection_at_once(town: Town) -> None:
    guest = town.session("allowed.test")
    head = f"POST /trailers HTTP/1.1\r\nHost: {guest.at('allowed.test')}\r\nTransfer-Encoding: chunked\r\n\r\n"
    with guest.tunnel("allowed.test") as sandbox:
        assert sandbox.ask(head + "3\r\nabc\r\n0\r\nX-Late: y\r\n\r\n").status == 0

    assert "after a request's body" in guest.refused(rule="egress.protocol")["reason"]


def test_trailers_over_http2_end_the_connection_as_well(town: Town) -> None:
    guest = town.session("allowed.test")
    with guest.tunnel("allowed.test", protocols=("h2",)) as sandbox:
        told = Http2(sandbox).ask(
            http2_get(guest.at("allowed.test"), "/late", "POST"), b"abc", trailers=[("x-late", "unjudged")]
        )

    assert told.status == 0
    assert "after a request's body" in guest.refused(rule="egress.protocol")["reason"]
    assert b"unjudged" not in town.arrived
