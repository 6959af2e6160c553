"""A request that the list does not decide is held until the server has answered: against a real gate and real origins."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from egress.asking import Answer, BadAnswer
from tests.egress.test_gate import UPGRADE
from tests.egress.world.gate import Gate
from tests.egress.world.sandbox import Answer as Got
from tests.egress.world.sandbox import Http2, Sandbox, http2_get
from tests.egress.world.town import Guest, Town
from tests.waiting import until

pytestmark = pytest.mark.promise("egress.only_gate")
ANY = {"host": "*", "ask": True}
WANTED = "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n"


@contextmanager
def asking(
    guest: Guest, sandbox: Sandbox, path: str, host: str = "allowed.test", more: str = ""
) -> Iterator[list[Got]]:
    """A request that is on its way in the block; its answer is there after it."""
    got = list[Got]()
    thread = threading.Thread(target=lambda: got.append(sandbox.get(guest.at(host), path, more)))
    thread.start()
    try:
        yield got
    finally:
        thread.join(10)


def question(guest: Guest, path: str) -> dict[str, Any]:
    return guest.town.gate.event("ask", guest.name, path=path)


def answer(guest: Guest, asked: dict[str, Any], let: str, **more: str) -> None:
    assert guest.town.gate.ask(op="answer", ask=asked["ask"], let=let, **more)["ok"]


def test_a_request_is_held_and_nothing_is_looked_up_until_somebody_says_yes(town: Town) -> None:
    guest, before = town.session(ANY), len(town.lookups())
    town.gate.ask(op="calls", session=guest.name, decisions=["d-7"])
    with guest.tunnel("allowed.test") as sandbox:
        with asking(guest, sandbox, "/held-once?secret=1") as got:
            asked = question(guest, "/held-once")
            assert (asked["host"], asked["port"], asked["method"]) == ("allowed.test", town.secure.port, "GET")
            assert asked["decisions"] == ["d-7"]
            assert b"held-once" not in town.arrived
            assert len(town.lookups()) == before
            answer(guest, asked, "once")
        assert got[0].status == 200
        with asking(guest, sandbox, "/held-twice") as again:
            answer(guest, question(guest, "/held-twice"), "", reason="nobody is there", approval="a-1")
    assert again[0].status == 403
    assert (again[0].json["rule"], again[0].json["reason"]) == ("egress.ask", "nobody is there")
    assert again[0].json["approval"] == "a-1"
    assert guest.refused(rule="egress.ask")["approval"] == "a-1"
    assert b"held-twice" not in town.arrived


def test_what_the_list_has_is_not_asked_about_and_an_address_never_is(town: Town) -> None:
    guest = town.session("other.test", ANY)
    with guest.tunnel("other.test") as sandbox:
        assert sandbox.get(guest.at("other.test"), "/listed").status == 200
    with guest.dial() as sandbox:
        assert sandbox.connect(guest.at("127.0.0.1")).status == 200
        assert sandbox.tls(None).get(guest.at("127.0.0.1"), "/literal").rule == "egress.not_allowed"
    assert town.gate.events("ask", guest.name) == []


def test_a_private_address_stays_out_of_reach_whoever_says_yes(town: Town) -> None:
    guest = town.session(ANY)
    with guest.tunnel("priv.allowed.test") as sandbox:
        with asking(guest, sandbox, "/inside", "priv.allowed.test") as got:
            answer(guest, question(guest, "/inside"), "host")
        assert got[0].rule == "egress.private_address"


def test_a_yes_to_a_host_lasts_until_it_is_cut_on_open_connections_too(town: Town) -> None:
    guest = town.session(ANY)
    with guest.tunnel("allowed.test") as web, guest.tunnel("allowed.test") as other:
        with asking(guest, web, "/ws", more=UPGRADE) as got:
            answer(guest, question(guest, "/ws"), "host")
        assert got[0].status == 101
        assert other.get(guest.at("allowed.test"), "/kept").status == 200
        assert town.gate.ask(op="cut", session=guest.name, host="allowed.test", port=town.secure.port)["ok"]

        assert web.ends()
        with asking(guest, other, "/after") as refused:
            answer(guest, question(guest, "/after"), "")
        assert refused[0].rule == "egress.ask"


def test_a_yes_to_what_is_alike_is_for_that_method_and_path(town: Town) -> None:
    guest = town.session(ANY)
    with guest.tunnel("allowed.test") as sandbox:
        with asking(guest, sandbox, "/alike") as got:
            answer(guest, question(guest, "/alike"), "alike")
        assert [got[0].status, sandbox.get(guest.at("allowed.test"), "/alike?x").status] == [200, 200]
        with asking(guest, sandbox, "/unlike"):
            answer(guest, question(guest, "/unlike"), "once")
    assert len(town.gate.events("ask", guest.name)) == 2


@pytest.mark.parametrize(("list_then", "status"), [([], 403), (["allowed.test"], 200), ([ANY], 200)])
def test_the_list_that_holds_when_the_answer_comes_decides(town: Town, list_then: list[Any], status: int) -> None:
    guest = town.session(ANY)
    with guest.tunnel("allowed.test") as sandbox, asking(guest, sandbox, f"/then-{len(list_then)}") as got:
        asked = question(guest, f"/then-{len(list_then)}")
        guest.bind(*list_then)
        answer(guest, asked, "once")
    assert got[0].status == status


def test_http2_is_held_alike(town: Town) -> None:
    guest, got = town.session(ANY), list[Got]()
    with guest.tunnel("allowed.test", protocols=("h2",)) as sandbox:
        asking_it = Http2(sandbox)
        headers = http2_get(guest.at("allowed.test"), "/h2-held")
        thread = threading.Thread(target=lambda: got.append(asking_it.ask(headers)))
        thread.start()
        answer(guest, question(guest, "/h2-held"), "once")
        thread.join(10)
    assert got[0].status == 200


def test_what_is_judged_is_the_whole_path(town: Town) -> None:
    guest, path = town.session(ANY), f"/{'x' * 9_000}/end"
    with guest.tunnel("allowed.test") as sandbox, asking(guest, sandbox, path) as got:
        answer(guest, question(guest, path), "alike")
    assert got[0].status == 200


def test_a_changed_list_forgets_what_was_said_yes_to(town: Town) -> None:
    guest = town.session(ANY)
    with guest.tunnel("allowed.test") as sandbox:
        with asking(guest, sandbox, "/before"):
            answer(guest, question(guest, "/before"), "host")
        guest.bind(ANY)
        with asking(guest, sandbox, "/anew"):
            answer(guest, question(guest, "/anew"), "once")


def test_a_session_that_ends_holds_nothing_and_its_request_never_leaves(town: Town) -> None:
    guest = town.session(ANY)
    with guest.tunnel("allowed.test") as sandbox, asking(guest, sandbox, "/ended") as got:
        asked = question(guest, "/ended")
        town.gate.ask(op="close", session=guest.name)
        answer(guest, asked, "once")
    assert got[0].status == 0
    with town.session(ANY).dial() as next_one:
        assert next_one.connect("allowed.test:443").status == 200  # the gate goes on
    assert b"/ended" not in town.arrived


@contextmanager
def two_of_which_one_is_held(folder: Path, **limits: float) -> Iterator[tuple[Gate, Sandbox, Sandbox]]:
    gate, path = Gate(folder).ready(limits={"held": 1, **limits}), folder / "h.sock"
    gate.ask(op="open", session="h", socket=str(path))
    gate.ask(op="bind", session="h", allow=[ANY])
    with Sandbox(path, gate.ca) as first, Sandbox(path, gate.ca) as second:
        first.say(WANTED)
        gate.event("ask", "h")
        yield gate, first, second
    gate.close()


def test_holding_is_bounded_in_number(tmp_path: Path) -> None:
    with two_of_which_one_is_held(tmp_path) as (_, _, second):
        assert second.ask(WANTED).status == 429


def test_holding_is_bounded_in_time(tmp_path: Path) -> None:
    with two_of_which_one_is_held(tmp_path, hold_s=0.2) as (gate, first, second):
        silence = first.answer()
        assert (silence.status, silence.rule) == (403, "egress.error")
        assert "not answered in time" in silence.json["reason"]
        second.say(WANTED)
        until(lambda: len(gate.events("ask", "h")) == 2)


@pytest.mark.parametrize("told", [{}, {"let": "everything"}, {"let": ""} | {"rule": "mine"}])
def test_what_is_no_answer_lets_nothing_pass(told: dict[str, Any]) -> None:
    with pytest.raises(BadAnswer):
        Answer.parse(told)
