"""The gate as a sandbox meets it: a real process, real TLS, real sockets, and an origin that notes what arrives."""

import contextlib
import json
import time
from pathlib import Path

import pytest

from tests.egress.world.gate import ROOT, Gate
from tests.egress.world.origin import Origin
from tests.egress.world.sandbox import NO_ANSWER, Http2, Sandbox, http2_get
from tests.egress.world.town import Town
from tests.waiting import until

UPGRADE = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"


def test_an_allowed_host_answers_through_tls_that_the_sandbox_trusts(town: Town) -> None:
    guest = town.session("allowed.test")

    with guest.tunnel("allowed.test") as sandbox:
        answer = sandbox.get(guest.at("allowed.test"), "/A01")

    assert (answer.status, answer.body.split()[1]) == (200, b"/A01")


def test_one_tunnel_carries_many_requests(town: Town) -> None:
    guest = town.session("allowed.test")

    with guest.tunnel("allowed.test") as sandbox:
        statuses = [sandbox.get(guest.at("allowed.test"), f"/k{n}").status for n in range(20)]

    assert statuses == [200] * 20


def test_an_international_name_on_the_list_is_its_punycode_on_the_wire(town: Town) -> None:
    guest = town.session("bücher.test")
    with guest.tunnel("xn--bcher-kva.test") as sandbox:
        answer = sandbox.get(guest.at("xn--bcher-kva.test"), "/A09")
    with guest.tunnel("xn--bcher-kva.test", protocols=("h2",)) as sandbox:
        http2 = Http2(sandbox).ask(http2_get(guest.at("xn--bcher-kva.test"), "/A09"))

    assert (answer.status, http2.status) == (200, 200)


def test_upper_case_and_a_trailing_dot_reach_the_same_host(town: Town) -> None:
    guest = town.session("allowed.test")
    with guest.dial() as sandbox:
        assert sandbox.connect(guest.at("ALLOWED.TEST.")).status == 200
        answer = sandbox.tls("allowed.test").get(guest.at("Allowed.Test"), "/A04")

    assert answer.status == 200
    assert b"Host: %s" % guest.at("allowed.test").encode() in town.arrived


def test_plain_http_through_the_proxy_reaches_an_allowed_host(town: Town) -> None:
    guest = town.session("allowed.test:80")
    where = f"allowed.test:{town.plain.port}"
    with guest.dial() as sandbox:
        answer = sandbox.ask(f"GET http://{where}/plain HTTP/1.1\r\nHost: {where}\r\n\r\n")

    assert answer.body.startswith(b"hello /plain")


def test_http2_goes_through_end_to_end(town: Town) -> None:
    guest = town.session("allowed.test")
    with guest.tunnel("allowed.test", protocols=("h2",)) as sandbox:
        http2 = Http2(sandbox)
        answer = http2.ask(http2_get(guest.at("allowed.test"), "/h2?q=1"))

    assert (answer.status, answer.body) == (200, b"hello over h2")
    assert guest.flow(path="/h2")["status"] == 200


def test_a_websocket_carries_bytes_both_ways(town: Town) -> None:
    guest = town.session("allowed.test")
    with guest.tunnel("allowed.test") as sandbox:
        answer = sandbox.get(guest.at("allowed.test"), "/ws", UPGRADE)
        sandbox.say(b"\x82\x84abcd" + b"1234")
        echoed = sandbox.read(10)

    assert (answer.status, echoed) == (101, b"\x82\x84abcd1234")
    assert [guest.flow(path="/ws", status=101)[way] // 1000 for way in ("bytes_up", "bytes_down")] == [0, 0]


@pytest.mark.promise("egress.refusal_explains")
def test_a_refused_request_over_tls_reads_why_and_what_would_be_allowed(town: Town) -> None:
    guest = town.session("allowed.test")
    town.gate.tell(op="calls", session=guest.name, decisions=["d-1", "d-2"])
    guest.bind("allowed.test")  # answered after the line above
    with guest.tunnel("denied.test") as sandbox:
        answer = sandbox.get(guest.at("denied.test"), "/why?secret=1")

    assert answer.status == 403
    assert answer.headers["content-type"] == "application/json"
    assert answer.json == {
        "host": "denied.test",
        "port": town.secure.port,
        "rule": "egress.not_allowed",
        "reason": "denied.test is not on this session's list of allowed hosts.",
        "allowed": [guest.at("allowed.test")],
        "decision_id": "d-2",
    }
    assert answer.headers["x-sandgate-error"] == answer.json["reason"] == answer.headers[":reason"].removeprefix("403 ")
    event = guest.refused(host="denied.test")
    assert (event["decisions"], event["attribution"]) == (["d-1", "d-2"], "any_of")
    assert (event["count"], event["method"], event["scheme"], event["path"]) == (1, "GET", "https", "/why")
    assert "secret" not in json.dumps(event)


def test_a_flow_says_where_it_went_by_which_entry_and_for_whom(town: Town) -> None:
    guest = town.session("allowed.test")
    town.gate.tell(op="calls", session=guest.name, decisions=["d-1", "d-2"])
    guest.bind("allowed.test")  # answered after the line above
    with guest.dial() as sandbox:
        sandbox.say(b"\0mark\3d-1")
        assert sandbox.connect(guest.at("allowed.test")).status == 200
        with sandbox.tls("allowed.test", ("http/1.1",)) as inside:
            for path in ("/first?q=1", "/again"):  # the second on the connection of the first
                inside.get(guest.at("allowed.test"), path)

    for path in ("/first", "/again"):
        told = guest.flow(path=path)
        assert (told["address"], told["rule"]) == ("127.0.0.1", guest.at("allowed.test"))
        assert (told["decisions"], told["attribution"]) == (["d-1"], "process")


@pytest.mark.promise("egress.refusal_explains")
def test_a_refused_plain_request_reads_the_same(town: Town) -> None:
    guest = town.session("allowed.test")
    with guest.dial() as sandbox:
        answer = sandbox.ask("GET http://denied.test/x HTTP/1.1\r\nHost: denied.test\r\n\r\n")

    assert (answer.status, answer.json["host"], answer.json["port"], answer.rule) == (
        403,
        "denied.test",
        80,
        "egress.not_allowed",
    )


@pytest.mark.promise("egress.refusal_explains")
def test_a_refused_http2_request_reads_the_same(town: Town) -> None:
    guest = town.session("allowed.test")
    with guest.tunnel("denied.test", protocols=("h2",)) as sandbox:
        http2 = Http2(sandbox)
        answer = http2.ask(http2_get(guest.at("denied.test"), "/"))
        again = http2.ask(http2_get(guest.at("denied.test"), "/up", "POST"), b"x" * 1000, more=True)

    assert (answer.status, answer.rule) == (again.status, again.rule) == (403, "egress.not_allowed")


@pytest.mark.promise("egress.start_refused")
def test_before_a_session_is_bound_everything_is_refused(town: Town) -> None:
    guest = town.session(bound=False)
    with guest.tunnel("allowed.test") as sandbox:
        before = sandbox.get(guest.at("allowed.test"))
        guest.bind("allowed.test")
        after = sandbox.get(guest.at("allowed.test"))

    assert (before.status, before.rule, after.status) == (403, "egress.not_bound", 200)


def test_nothing_meant_for_a_proxy_reaches_an_origin(town: Town) -> None:
    guest = town.session("allowed.test:80")
    where = f"allowed.test:{town.plain.port}"
    with guest.dial() as sandbox:
        answer = sandbox.ask(
            f"GET http://{where}/echo HTTP/1.1\r\nHost: {where}\r\nProxy-Authorization: Basic eA==\r\nProxy-Connection: x\r\n\r\n"
        )

    assert answer.status == 200
    assert b"proxy" not in answer.body.lower()


def test_what_would_lead_past_the_gate_or_forge_it_is_taken_out_of_answers(town: Town) -> None:
    guest = town.session("allowed.test")
    with guest.tunnel("allowed.test") as sandbox:
        answer = sandbox.get(guest.at("allowed.test"), "/odd")

    assert answer.status == 200
    assert not answer.headers.keys() & {"alt-svc", "x-sandgate-error"}


def test_a_list_with_methods_and_paths_holds_for_each_request(town: Town) -> None:
    guest = town.session({"host": "allowed.test", "methods": ["GET"], "paths": ["/api/**"]})
    at = guest.at("allowed.test")
    with guest.tunnel("allowed.test") as sandbox:
        good = sandbox.get(at, "/api/v1/x?y=/../z")
        bad = [
            sandbox.get(at, path).rule
            for path in ("/other", "/api/../other", "/api/%2e%2e/other", "/api/a%2Fb", "/api//x")
        ]
        posted = sandbox.ask(f"POST /api/x HTTP/1.1\r\nHost: {at}\r\nContent-Length: 3\r\n\r\nabc")

    assert good.status == 200
    assert {*bad, posted.rule} == {"egress.not_allowed"}
    assert "allows GET" in posted.json["reason"]


def test_the_apex_is_not_one_of_its_subdomains_and_the_refusal_says_so(town: Town) -> None:
    guest = town.session("*.allowed.test")
    with guest.tunnel("allowed.test") as sandbox:
        reason = sandbox.get(guest.at("allowed.test")).json["reason"]

    assert "subdomains, not allowed.test itself" in reason


@pytest.mark.promise("egress.start_refused")
def test_a_list_that_shrinks_ends_what_it_no_longer_covers(town: Town) -> None:
    guest = town.session("allowed.test", "other.test")
    with guest.tunnel("allowed.test") as web, guest.tunnel("other.test") as kept, guest.tunnel("allowed.test") as idle:
        assert web.get(guest.at("allowed.test"), "/ws", UPGRADE).status == 101
        assert kept.get(guest.at("other.test")).status == 200
        assert idle.get(guest.at("allowed.test")).status == 200
        guest.bind("other.test")

        assert kept.get(guest.at("other.test")).status == 200
        assert idle.get(guest.at("allowed.test")).rule == "egress.not_allowed"
        assert web.ends()


@pytest.mark.promise("egress.only_gate")
def test_sessions_do_not_share_what_they_may_reach(town: Town) -> None:
    one, two = town.session("allowed.test"), town.session("other.test")
    with one.tunnel("other.test") as first, two.tunnel("other.test") as second:
        assert first.get(one.at("other.test")).rule == "egress.not_allowed"
        assert second.get(two.at("other.test")).status == 200


def test_a_closed_session_has_no_door_and_no_connections(town: Town) -> None:
    guest = town.session("allowed.test")
    with guest.tunnel("allowed.test") as sandbox:
        assert town.gate.ask(op="close", session=guest.name)["ok"]
        assert sandbox.ends()

    assert not guest.path.exists()
    assert town.gate.ask(op="close", session=guest.name)["ok"]


def test_twenty_megabytes_stream_both_ways_and_are_not_held(town: Town) -> None:
    guest = town.session("allowed.test")
    size, before = 20_000_000, town.gate.memory_mb()
    with guest.tunnel("allowed.test") as sandbox:
        down = sandbox.get(guest.at("allowed.test"), f"/big?{size}")
        up = sandbox.ask(
            f"POST /up HTTP/1.1\r\nHost: {guest.at('allowed.test')}\r\nContent-Length: {size}\r\n\r\n".encode()
            + bytes(size)
        )

    assert (len(down.body), up.body.split()[2]) == (size, str(size).encode())
    assert town.gate.memory_mb() - before < 15
    assert size < guest.flow(path="/up")["bytes_up"] < size + 1000 > guest.flow(path="/big")["bytes_down"] - size > 0
    (meanwhile,) = town.gate.events("sending", guest.name)  # said before it was over
    assert guest.flow(path="/up")["told_up"] == meanwhile["bytes_up"] >= 16 << 20


def test_a_large_upload_to_a_refused_host_is_answered_and_cut(town: Town) -> None:
    guest = town.session("allowed.test")
    before = town.gate.memory_mb()
    head = f"POST / HTTP/1.1\r\nHost: {guest.at('denied.test')}\r\n"
    with guest.tunnel("denied.test") as sandbox:
        chunked = sandbox.ask(
            head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + (b"4000\r\n" + bytes(0x4000) + b"\r\n") * 200
        )
    with guest.tunnel("denied.test") as sandbox:
        endless = sandbox.ask(f"{head}Content-Length: 9000000000\r\nExpect: 100-continue\r\n\r\n")

    assert (chunked.rule, endless.rule) == ("egress.not_allowed", "egress.not_allowed")
    assert town.gate.memory_mb() - before < 15


def test_a_request_head_without_end_is_cut(town: Town) -> None:
    guest = town.session("allowed.test")
    before = town.gate.memory_mb()
    with guest.tunnel("allowed.test") as sandbox:
        answer = sandbox.ask(b"GET / HTTP/1.1\r\n" + b"X-Filler: " + b"a" * 5_000_000)
    with guest.dial() as sandbox, contextlib.suppress(OSError):
        sandbox.connect(guest.at("allowed.test"))
        sandbox.say(b"\x16\x03\x01\xff\xff\x01\xff\xff\xff" + bytes(5_000_000))  # a ClientHello of 16 MB, so it says

    assert answer.status in {0, 403}
    assert guest.refused(rule="egress.limit")
    assert town.gate.memory_mb() - before < 15


def test_an_answers_head_without_end_is_cut(town: Town) -> None:
    guest = town.session("allowed.test")
    before = town.gate.memory_mb()
    with guest.tunnel("allowed.test") as sandbox:
        answer = sandbox.get(guest.at("allowed.test"), "/endless-head")

    assert answer.status in {0, 502}
    assert town.gate.memory_mb() - before < 15


def test_one_session_cannot_take_all_connections(town: Town) -> None:
    greedy, neighbour = town.session("allowed.test"), town.session("allowed.test")
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(greedy.dial()) for _ in range(129)]
        assert lines[128].answer().rule == "egress.limit"
        with neighbour.tunnel("allowed.test") as sandbox:
            assert sandbox.get(neighbour.at("allowed.test")).status == 200
    until(lambda: _works(greedy))


def _works(guest: "object") -> bool:
    with guest.dial() as sandbox:  # type: ignore[attr-defined]  # a Guest
        return bool(sandbox.connect("allowed.test:443").status == 200)


def test_refusals_are_counted_so_that_a_sandbox_cannot_fill_a_disk(town: Town) -> None:
    guest = town.session("allowed.test")
    began = time.monotonic()
    with guest.dial() as sandbox:
        for number in range(300):
            host = f"h{number % 60}.test"
            assert sandbox.ask(f"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n").status == 403

    until(lambda: sum(event["count"] for event in town.gate.events("refused", guest.name)) == 300)
    events = town.gate.events("refused", guest.name)
    assert len(events) <= 21 * (time.monotonic() - began + 2)  # so many a second, however slow the machine
    assert any(event["rule"] == "egress.limit" for event in events)


def test_an_origin_that_is_not_there_is_said_to_be_so(town: Town) -> None:
    guest = town.session("allowed.test:1", "unknown.test")
    with guest.dial() as sandbox:
        sandbox.connect("allowed.test:1")
        answer = sandbox.tls("allowed.test").get("allowed.test:1")
    with guest.tunnel("unknown.test") as sandbox:
        unknown = sandbox.get(guest.at("unknown.test"))

    assert (answer.status, answer.rule) == (502, "egress.error")
    assert guest.flow(port=1)["address"] == "127.0.0.1"  # what was dialled, and did not answer
    assert guest.flow(host="unknown.test")["failed"] == unknown.json["reason"]
    assert "does not resolve" in unknown.json["reason"]


def test_an_origin_with_a_wrong_certificate_is_not_believed(town: Town) -> None:
    guest = town.session("a.b.allowed.test", "static.test")
    with guest.tunnel("static.test") as sandbox:
        answer = sandbox.get(guest.at("static.test"), "/believed")

    assert answer.status == 502
    assert "ertificate" in answer.json["reason"]
    assert b"believed" not in town.arrived


def test_learning_refuses_nothing_that_is_public(tmp_path: Path) -> None:
    gate = Gate(tmp_path).ready(mode="learn", resolve={"anything.test": "127.0.0.1"}, networks=["127.0.0.0/8"])
    path = tmp_path / "l.sock"
    origin = Origin(None)
    gate.ask(op="open", session="l", socket=str(path))
    with Sandbox(path, gate.ca) as sandbox:
        unbound = sandbox.ask("GET http://anything.test/ HTTP/1.1\r\nHost: anything.test\r\n\r\n")
    gate.ask(op="bind", session="l", allow=[])
    with Sandbox(path, gate.ca) as sandbox:
        where = f"anything.test:{origin.port}"
        answer = sandbox.ask(f"GET http://{where}/learnt HTTP/1.1\r\nHost: {where}\r\n\r\n")
        private = sandbox.ask("GET http://10.0.0.1/ HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n")

    assert (unbound.rule, answer.status, private.rule) == ("egress.not_bound", 200, "egress.private_address")
    flow = gate.event("flow", "l", path="/learnt")
    assert (flow["host"], flow["learnt"]) == ("anything.test", True)
    gate.close()
    origin.close()


BROKEN = """
import sys
from egress import session
def broken(self, *_): raise RuntimeError("on purpose")
session.Session.%s = broken
from egress.__main__ import main
main(sys.argv[1:])
"""


@pytest.mark.promise("egress.start_refused")
@pytest.mark.parametrize("part", ["admit", "admit_dial"])
def test_a_gate_that_breaks_inside_refuses(town: Town, tmp_path: Path, part: str) -> None:
    program = tmp_path / "broken.py"
    program.write_text(BROKEN % part)
    gate = Gate(tmp_path, [str(program)]).ready(resolve={"allowed.test": "127.0.0.1"}, networks=["127.0.0.0/8"])
    path = tmp_path / "b.sock"
    gate.ask(op="open", session="b", socket=str(path))
    gate.ask(op="bind", session="b", allow=[f"allowed.test:{town.plain.port}"])
    where = f"allowed.test:{town.plain.port}"
    with Sandbox(path, gate.ca) as sandbox:
        answer = sandbox.ask(f"GET http://{where}/broken HTTP/1.1\r\nHost: {where}\r\n\r\n")

    assert answer == NO_ANSWER or answer.rule == "egress.error"
    assert b"broken" not in town.arrived
    gate.close()


def test_the_root_of_the_checkout_is_where_the_gate_comes_from() -> None:
    assert (ROOT / "egress" / "__main__.py").exists()
