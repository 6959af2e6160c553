"""A server of a protocol that is not HTTP: it speaks first, as SSH, MySQL and SMTP do."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

GREETING = b"220 hello\n"


@contextmanager
def speaking() -> Iterator[int]:
    """Its port on loopback, until left. It greets, says in capitals what it is told, and hangs up at an `x`."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_speak, args=[sock], daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _speak(sock: socket.socket) -> None:
    with sock, suppress(OSError):  # whoever came may have hung up: in a thread nobody else would take that
        sock.sendall(GREETING)
        while (data := sock.recv(65536)) and data != b"x":
            sock.sendall(data.upper())
