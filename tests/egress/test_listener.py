import stat
from pathlib import Path

import pytest

from tests.egress.world.gate import Gate
from tests.egress.world.sandbox import Sandbox
from tests.egress.world.town import Town


def test_whoever_sees_the_socket_may_use_it(town: Town) -> None:
    assert stat.S_IMODE(town.session().path.stat().st_mode) == 0o666


def test_opening_again_at_the_same_place_is_no_error_and_elsewhere_is(town: Town) -> None:
    guest = town.session("allowed.test")

    assert town.gate.ask(op="open", session=guest.name, socket=str(guest.path))["ok"]
    assert not town.gate.ask(op="open", session=guest.name, socket=str(guest.path) + "2")["ok"]
    with guest.tunnel("allowed.test") as sandbox:
        assert sandbox.get(guest.at("allowed.test")).status == 200


def test_a_socket_that_a_dead_gate_left_is_replaced(town: Town, tmp_path: Path) -> None:
    path = tmp_path / "left"
    path.write_text("")
    assert town.gate.ask(op="open", session="left", socket=str(path))["ok"]
    assert stat.S_ISSOCK(path.stat().st_mode)
    assert town.gate.ask(op="close", session="left")["ok"]


@pytest.mark.parametrize("where", ["/nowhere/at/all.sock", "/tmp/" + "x" * 200])
def test_a_place_where_no_socket_can_be_is_said_to_be_so(town: Town, where: str) -> None:
    told = town.gate.ask(op="open", session="bad", socket=where)

    assert not told["ok"]
    assert town.gate.ask(op="bind", session="bad", allow=[])["error"] == "There is no session bad."


@pytest.mark.promise("egress.start_refused")
def test_before_it_is_configured_it_opens_no_door(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    gate.heard(lambda message: message.get("event") == "ready")

    assert not gate.ask(op="open", session="s", socket=str(tmp_path / "s"))["ok"]
    gate.close()


@pytest.mark.promise("egress.only_gate")
def test_a_closed_door_can_be_opened_again_and_is_unbound_then(town: Town) -> None:
    guest = town.session("allowed.test")
    town.gate.ask(op="close", session=guest.name)
    town.gate.ask(op="open", session=guest.name, socket=str(guest.path))
    with Sandbox(guest.path, town.gate.ca) as sandbox:
        answer = sandbox.ask("GET http://allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\n\r\n")

    assert answer.rule == "egress.not_bound"
