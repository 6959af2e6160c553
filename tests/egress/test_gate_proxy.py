"""A gate that reaches the world by the operator's own proxy: for what it let pass, and for nothing else."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.egress.world.proxy import Proxy
from tests.egress.world.sandbox import Http2, http2_get
from tests.egress.world.town import Town, opened


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    with Proxy() as made:
        yield made


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory, proxy: Proxy) -> Iterator[Town]:
    with opened(tmp_path_factory.mktemp("behind"), proxy=proxy.where) as made:
        yield made


def said_first(server: socket.socket, text: bytes) -> None:
    """To the first that comes, who is then hung up on."""

    def serve() -> None:
        with suppress(OSError), server.accept()[0] as peer:  # it may hang up first
            peer.sendall(text)
            peer.recv(65536)  # what is left unread would make a reset of the end

    threading.Thread(target=serve, daemon=True).start()


@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
def test_an_allowed_host_answers_and_the_proxy_was_asked_for_its_name_alone(
    behind: Town, proxy: Proxy, protocol: str
) -> None:
    guest = behind.session("allowed.test")
    at, before = guest.at("allowed.test"), len(proxy.asked)
    with guest.tunnel("allowed.test", protocols=(protocol,)) as sandbox:
        answers = [
            Http2(sandbox).ask(http2_get(at, "/by"))
            if protocol == "h2"
            else sandbox.get(at, "/by", "Proxy-Authorization: Basic eDp5\r\n")
        ]

    assert [answer.status for answer in answers] == [200]
    assert proxy.asked[before:] == [f"CONNECT {at} HTTP/1.1\r\nHost: {at}\r\n\r\n"]
    assert "allowed.test" not in behind.lookups()
    assert guest.flow(path="/by")["address"] == "127.0.0.1"  # the proxy's, which is what was dialled


def test_plain_http_goes_there_in_a_tunnel_too(behind: Town, proxy: Proxy) -> None:
    guest = behind.session("allowed.test:80")
    where = f"allowed.test:{behind.plain.port}"
    with guest.dial() as sandbox:
        assert sandbox.ask(f"GET http://{where}/plain HTTP/1.1\r\nHost: {where}\r\n\r\n").status == 200

    assert proxy.asked[-1].startswith(f"CONNECT {where} ")


def test_of_a_server_that_speaks_first_every_byte_arrives(behind: Town, proxy: Proxy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        where = f"allowed.test:{server.getsockname()[1]}"
        said_first(server, b"220 hello\r\n\r\n220 there")
        guest = behind.session(f"tcp://{where}")
        with guest.dial() as sandbox:
            assert sandbox.connect(where).status == 200
            assert sandbox.read(22) == b"220 hello\r\n\r\n220 there"

    assert proxy.asked[-1].startswith(f"CONNECT {where} ")


@pytest.mark.promise("egress.only_gate")
def test_what_is_refused_is_not_told_to_the_proxy_either(behind: Town, proxy: Proxy) -> None:
    guest = behind.session("allowed.test")
    before = len(proxy.asked)
    for host in ("stolen-data.exfil.test", "169.254.169.254", "10.0.0.7"):
        with guest.tunnel(host) as sandbox:
            assert sandbox.get(guest.at(host)).status == 403

    assert proxy.asked[before:] == []


@pytest.mark.promise("egress.no_private")
@pytest.mark.parametrize("address", ["10.0.0.7", "169.254.169.254"])
def test_an_address_is_no_business_of_the_proxys_and_refused_as_ever(behind: Town, proxy: Proxy, address: str) -> None:
    guest = behind.session(address)
    before = len(proxy.asked)
    with guest.tunnel(address) as sandbox:
        assert sandbox.get(guest.at(address)).rule == "egress.private_address"

    assert proxy.asked[before:] == []


def test_a_name_that_the_operator_resolves_is_dialled_as_that_says(behind: Town, proxy: Proxy) -> None:
    guest = behind.session("static.test:80")
    where, before = f"static.test:{behind.plain.port}", len(proxy.asked)
    with guest.dial() as sandbox:
        assert sandbox.ask(f"GET http://{where}/static HTTP/1.1\r\nHost: {where}\r\n\r\n").status == 200

    assert proxy.asked[before:] == []


def test_what_the_proxy_refuses_says_so(behind: Town) -> None:
    guest = behind.session("no.test")
    with guest.tunnel("no.test") as sandbox:
        answer = sandbox.get(guest.at("no.test"))

    assert (answer.status, answer.rule) == (502, "egress.error")
    assert "the proxy of [egress] in the settings answered HTTP/1.1 403 Not from here" in answer.json["reason"]
    assert guest.flow(status=502)["failed"] == answer.json["reason"]


def test_a_certificate_is_the_origins_to_show(behind: Town) -> None:
    guest = behind.session("a.b.allowed.test")
    with guest.tunnel("a.b.allowed.test") as sandbox:
        answer = sandbox.get(guest.at("a.b.allowed.test"), "/believed")

    assert answer.status == 502
    assert "ertificate" in answer.json["reason"]


def test_a_proxy_that_is_not_there_or_none_is_an_outage(behind: Town, proxy: Proxy) -> None:
    try:
        with socket.create_server(("127.0.0.1", 0)) as mute:
            where = f"127.0.0.1:{mute.getsockname()[1]}"
            assert behind.gate.ask(op="configure", **{**behind.settings, "proxy": where})["ok"]
            said_first(mute, b"")
            guest = behind.session("allowed.test")
            with guest.tunnel("allowed.test") as sandbox:
                none = sandbox.get(guest.at("allowed.test"))
        with guest.tunnel("allowed.test") as sandbox:
            gone = sandbox.get(guest.at("allowed.test"))
    finally:
        assert behind.gate.ask(op="configure", **behind.settings)["ok"]

    assert (none.status, gone.status) == (502, 502)
    assert "hung up, or is none" in none.json["reason"]
    assert "Connect call failed" in gone.json["reason"]
