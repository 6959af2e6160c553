"""A proxy of the operator's, between the gate and the origins: it takes CONNECT alone, and every name leads to loopback."""

import contextlib
import socket
import threading
from typing import Self

from tests.egress.world.sandbox import WAIT_S


class Proxy:
    """Listens from construction on. `asked` has what each connection began with; names below `no.test` get a 403."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.where = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.asked: list[str] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                gate, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=[gate], daemon=True).start()

    def _serve(self, gate: socket.socket) -> None:
        with gate, contextlib.suppress(OSError):  # a gate that ends hangs up anywhere
            head = b""
            while b"\r\n\r\n" not in head:
                if not (data := gate.recv(65536)):
                    return
                head += data
            self.asked.append(head.decode("latin1"))
            host, _, port = head.split(b" ")[1].decode().rpartition(":")
            if host.endswith("no.test"):
                gate.sendall(b"HTTP/1.1 403 Not from here\r\nContent-Length: 0\r\n\r\n")
                return
            with socket.create_connection(("127.0.0.1", int(port)), WAIT_S) as origin:
                gate.sendall(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n")
                back = threading.Thread(target=_carry, args=[origin, gate], daemon=True)
                back.start()
                _carry(gate, origin)
                back.join()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
