"""tcp:// entries: bytes that nobody reads, to one host and port, and said to be so."""

import socket
import threading
from collections.abc import Iterator

import pytest

from tests.egress.world.town import Town


@pytest.fixture(scope="module")
def speaker() -> Iterator[int]:
    """A server that speaks first, echoes in capitals, and hangs up at an `x`. Its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=speak, args=[sock], daemon=True).start()

    def speak(sock: socket.socket) -> None:
        with sock:
            sock.sendall(b"220 hello\n")
            while (data := sock.recv(65536)) and data != b"x":
                sock.sendall(data.upper())

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_a_server_may_speak_first_and_the_record_says_that_nobody_read(town: Town, speaker: int) -> None:
    guest = town.session(f"tcp://allowed.test:{speaker}")
    with guest.dial() as sandbox:
        accepted = sandbox.connect(f"allowed.test:{speaker}")
        greeting = sandbox.read(10)
        sandbox.say(b"\x00\x01 any bytes")
        echo = sandbox.read(12)
        sandbox.say(b"x")
        assert sandbox.ends()

    assert (accepted.status, greeting, echo) == (200, b"220 hello\n", b"\x00\x01 ANY BYTES")
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
