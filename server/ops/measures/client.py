"""What the bench's client does, beside its origin and in a sandbox alike: the standard library's TLS, and a clock.

Run as a script: it imports nothing of ours. Arguments: what (request, connection, down or up), how many (requests,
connections or megabytes), the origin's host and port, whom to believe, the port of a proxy on loopback or 0, and where the
host is. Prints JSON: a list of milliseconds, or megabytes a second.
"""

import json
import socket
import ssl
import sys
import time
from collections.abc import Callable

BLOCK = 256 * 1024


class Client:
    """A way to the origin."""

    def __init__(self, host: str, port: int, trust: str, proxy: int) -> None:
        self._host, self._port, self._proxy = host, port, proxy
        self._context = ssl.create_default_context(cafile=trust)
        self._context.set_alpn_protocols(["http/1.1"])

    def connect(self, at: str) -> ssl.SSLSocket:
        """`at`: where the host is."""
        sock = socket.create_connection(("127.0.0.1", self._proxy) if self._proxy else (at, self._port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._proxy:
            sock.sendall(b"CONNECT %s:%d HTTP/1.1\r\n\r\n" % (at.encode(), self._port))
            while not sock.recv(4096).endswith(b"\r\n\r\n"):
                pass
        return self._context.wrap_socket(sock, server_hostname=self._host)

    def get(self, sock: ssl.SSLSocket, size: int) -> None:
        sock.sendall(b"GET /%d HTTP/1.1\r\nHost: %s:%d\r\n\r\n" % (size, self._host.encode(), self._port))
        _taken(sock, size)

    def put(self, sock: ssl.SSLSocket, size: int) -> None:
        head = b"PUT /x HTTP/1.1\r\nHost: %s:%d\r\nContent-Length: %d\r\n\r\n"
        sock.sendall(head % (self._host.encode(), self._port, size))
        block = bytes(BLOCK)
        for sent in range(0, size, BLOCK):
            sock.sendall(block[: size - sent])
        _taken(sock, len(str(size)))


def _taken(sock: ssl.SSLSocket, size: int) -> None:
    """A whole answer with a body of so many bytes."""
    room = bytearray(BLOCK)
    head = b""
    while b"\r\n\r\n" not in head:
        head += sock.recv(BLOCK)
    left = size - len(head.partition(b"\r\n\r\n")[2])
    while left > 0:
        left -= sock.recv_into(room) or left


def measured(what: str, many: int, client: Client, at: str) -> "float | list[float]":
    if what == "connection":
        return [_timed(lambda: _once(client, at)) for _ in range(many)]
    with client.connect(at) as sock:
        client.get(sock, 2)
        if what == "request":
            return [_timed(lambda: client.get(sock, 2)) for _ in range(many)]
        size = many * 1_000_000
        return size / 1e3 / _timed(lambda: client.get(sock, size) if what == "down" else client.put(sock, size))


def _once(client: Client, at: str) -> None:
    with client.connect(at) as sock:
        client.get(sock, 2)


def _timed(act: Callable[[], None]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    WHAT, MANY, HOST, PORT, TRUST, PROXY, AT = sys.argv[1:]
    print(json.dumps(measured(WHAT, int(MANY), Client(HOST, int(PORT), TRUST, int(PROXY)), AT)))
