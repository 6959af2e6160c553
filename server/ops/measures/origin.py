"""The bench's origin: HTTPS on loopback, as quick as Python makes it, in a process of its own."""

import io
import signal
import socket
import ssl
import subprocess  # noqa: TID251  # a thread of ours would share a processor with what is measured
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server.ops.demo_origin import certificate

_BLOCK: Final = bytes(256 * 1024)


@dataclass(frozen=True, slots=True)
class Origin:
    """Answers GET /N with N bytes and PUT with how many came, under HOST."""

    port: int
    certificate: Path


@contextmanager
def origin(folder: Path) -> Iterator[Origin]:
    """Until left. `folder` holds its key."""
    pem = certificate(folder)
    argv = [sys.executable, "-P", "-m", __name__, str(pem)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:  # noqa: S603 - ourselves
        try:
            yield Origin(int(process.stdout.readline()) if process.stdout else 0, pem)
        finally:
            process.terminate()


def _serve(pem: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's goes to the bench as well, which ends this
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listener.getsockname()[1], flush=True)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=_speak, args=(context, sock), daemon=True).start()


def _speak(context: ssl.SSLContext, sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        with context.wrap_socket(sock, server_side=True) as speaker, speaker.makefile("rb") as lines:
            while request := lines.readline():
                head = dict(line.lower().split(b":", 1) for line in iter(lines.readline, b"\r\n"))
                method, target, _ = request.split(b" ")
                if method == b"PUT":
                    told = str(_taken(lines, int(head[b"content-length"]))).encode()
                    _send(speaker, told, len(told))
                else:
                    _send_many(speaker, int(target[1:]))
    except OSError:
        return  # it hung up


def _send(speaker: ssl.SSLSocket, body: bytes, size: int) -> None:
    """A head, and as much of a body of that size."""
    speaker.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (size, body))


def _send_many(speaker: ssl.SSLSocket, size: int) -> None:
    _send(speaker, _BLOCK[:size], size)  # a small answer is one segment, as anybody's is
    for sent in range(len(_BLOCK), size, len(_BLOCK)):
        speaker.sendall(_BLOCK[: size - sent])


def _taken(lines: io.BufferedReader, size: int) -> int:
    room, taken = bytearray(len(_BLOCK)), 0
    while taken < size and (got := lines.readinto(memoryview(room)[: size - taken])):
        taken += got
    return taken


if __name__ == "__main__":
    _serve(sys.argv[1])
