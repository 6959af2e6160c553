"""tcp:// entries: bytes that nobody reads, to one host and port, and said to be so."""

from collections.abc import Iterator

import pytest

from tests.egress.world.town import Town
from tests.speaker import GREETING, speaking


@pytest.fixture(scope="module")
def speaker() -> Iterator[int]:
    with speaking() as port:
        yield port


def test_a_server_may_speak_first_and_the_record_says_that_nobody_read(town: Town, speaker: int) -> None:
    guest = town.session(f"tcp://allowed.test:{speaker}")
    with guest.dial() as sandbox:
        accepted = sandbox.connect(f"allowed.test:{speaker}")
        greeting = sandbox.read(len(GREETING))
        sandbox.say(b"\x00\x01 any bytes")
        echo = sandbox.read(12)
        sandbox.say(b"x")
        assert sandbox.ends()

    assert (accepted.status, greeting, echo) == (200, GREETING, b"\x00\x01 ANY BYTES")
    told = guest.flow(port=speaker)
    assert (told["scheme"], told["uninterpreted"], told["bytes_up"], told["bytes_down"]) == ("tcp", True, 13, 22)


@pytest.mark.promise("egress.no_private")
def test_it_leads_to_no_private_address_and_the_client_reads_why(town: Town) -> None:
    guest = town.session("tcp://meta.allowed.test:22", "tcp://allowed.test:1")
    with guest.dial() as sandbox:
        private = sandbox.connect("meta.allowed.test:22")
    with guest.dial() as sandbox:
        closed = sandbox.connect("allowed.test:1")

    assert (private.status, private.rule) == (403, "egress.private_address")
    assert "private_address" in private.rule
    assert "metadata" in private.headers["x-sandgate-error"]
    assert (closed.status, closed.rule) == (502, "egress.error")


@pytest.mark.promise("egress.only_gate")
def test_http_is_not_what_it_admits_and_another_port_is_not_it(town: Town, speaker: int) -> None:
    guest = town.session(f"tcp://allowed.test:{speaker}")
    where = f"allowed.test:{speaker}"
    with guest.dial() as sandbox:
        plain = sandbox.ask(f"GET http://{where}/ HTTP/1.1\r\nHost: {where}\r\n\r\n")
    with guest.dial() as sandbox:
        sandbox.connect(guest.at("allowed.test"))
        sandbox.say(b"SSH-2.0-x\r\n")
        assert sandbox.ends()

    assert plain.rule == "egress.not_allowed"


@pytest.mark.promise("egress.start_refused")
def test_a_list_that_drops_it_ends_it(town: Town, speaker: int) -> None:
    guest = town.session(f"tcp://allowed.test:{speaker}", "other.test")
    with guest.dial() as sandbox:
        sandbox.connect(f"allowed.test:{speaker}")
        assert sandbox.read(10)
        guest.bind("other.test")

        assert sandbox.ends()
