"""Connections that take their time, at a real uvicorn with our protocol: the slow are closed, others are not touched."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from socket import create_connection, create_server, socket

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from server.front import doorway
from server.front.doorway import Doorway
from server.front.http import Address, OurUvicorn, configured
from server.front.patience import Body, PatientProtocol
from server.settings.http import HttpSettings
from tests.waiting import PATIENCE_S, until

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def size(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


@pytest.fixture
def address() -> Iterator[tuple[str, int]]:
    """Of a server whose patience a test takes away where it waits for that, and no sooner: what is in time must be."""
    door = Middleware(Doorway, hosts=(), origins=(), refused=lambda _: None)
    app = Starlette(routes=[Route("/", size, methods=["GET", "POST"])], middleware=[door])
    with create_server(("127.0.0.1", 0)) as listener:
        made = Address(*listener.getsockname())
        server: uvicorn.Server = OurUvicorn(configured(app, HttpSettings(), made))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield made.host, made.port
        finally:
            server.should_exit = True
            thread.join(20)


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From then on a head has little time."""
    return lambda: monkeypatch.setattr(PatientProtocol, "head_s", 0.2)


def rest(sock: socket) -> bytes:
    """All that comes until the other side closes; fails after a bounded time where it does not."""
    sock.settimeout(PATIENCE_S)
    return b"".join(iter(lambda: sock.recv(4096), b""))


def until_said(sock: socket, end: bytes) -> bytes:
    """All that comes until it ends so."""
    sock.settimeout(PATIENCE_S)
    said = b""
    while not said.endswith(end):
        data = sock.recv(4096)
        assert data, said
        said += data
    return said


class Closed(threading.Event):
    said = b""


@contextmanager
def closing_when(sock: socket) -> Iterator[Closed]:
    """Set once the other side has closed, with what it said until then."""
    closed = Closed()

    def read() -> None:
        with suppress(ConnectionError):
            while data := sock.recv(4096):
                closed.said += data
        closed.set()

    sock.settimeout(PATIENCE_S)
    thread = threading.Thread(target=read)
    thread.start()
    yield closed
    thread.join()


@pytest.mark.parametrize("said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: "])
def test_whoever_sends_no_whole_head_is_closed(
    address: tuple[str, int], hurry: Callable[[], None], said: bytes
) -> None:
    hurry()
    with create_connection(address) as sock:
        sock.sendall(said)
        assert rest(sock) == b""


def test_a_second_request_that_is_never_whole_is_closed_too(
    address: tuple[str, int], hurry: Callable[[], None]
) -> None:
    with create_connection(address) as sock:
        sock.sendall(GET)
        assert until_said(sock, b"\r\n\r\n0").startswith(b"HTTP/1.1 200")
        hurry()
        sock.sendall(GET[:10])
        assert b"HTTP" not in rest(sock)


def test_a_refusal_does_not_wait_for_the_body_that_it_refused(
    address: tuple[str, int], hurry: Callable[[], None]
) -> None:
    with create_connection(address) as sock, closing_when(sock) as closed:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 100000\r\n\r\n")
        until(lambda: closed.said.startswith(b"HTTP/1.1 421"), "it was not refused")
        hurry()
        while not closed.wait(0.05):
            with suppress(ConnectionError):
                sock.sendall(b"x")


def test_a_body_that_is_never_whole_is_answered_and_closed(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorway, "Body", lambda receive: Body(receive, 0.3))
    with create_connection(address) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc")
        answer = rest(sock)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"the body took too long" in answer


def test_a_body_in_pieces_arrives_and_the_connection_goes_on(address: tuple[str, int]) -> None:
    with create_connection(address) as sock:
        for _ in range(3):
            sock.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n")
            sock.sendall(b"ab")
            sock.sendall(b"cd")
            assert until_said(sock, b"\r\n\r\n4").startswith(b"HTTP/1.1 200")


def test_heads_beyond_all_measure_are_refused(address: tuple[str, int]) -> None:
    for flood in (b"X: " + b"y" * 200_000, b"".join(b"X-%d: y\r\n" % number for number in range(20_000))):
        with create_connection(address) as sock:
            try:
                sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + flood + b"\r\n\r\n")
                answer = rest(sock)
            except ConnectionError:  # closed while we still sent
                continue
            assert answer.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("proxy", ["*", "0.0.0.0/0", "::/0", "proxy.example"])
def test_not_everybody_can_be_a_trusted_proxy(proxy: str) -> None:
    with pytest.raises(ValueError, match=r"trust everybody|no address"):
        HttpSettings(trusted_proxies=(proxy,))
