"""Real servers to which an audit is sent: sockets of a syslog server, and a collector that speaks HTTPS."""

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from server.record.chain_file import NEVER, ChainFile, Rotation
from server.record.trail import Line, Trail
from tests.loopback_http import Asked, answering
from tests.waiting import PATIENCE_S


def written(folder: Path, count: int, rotation: Rotation = NEVER, **more: Any) -> Path:
    file = ChainFile(folder / "audit.jsonl", "interval", rotation)
    for number in range(count):
        file.append("server.note", {"number": number, **more})
    file.close()
    return folder / "audit.jsonl"


def lines_of(path: Path) -> list[Line]:
    trail = Trail(path)
    lines, _ = trail.next(10_000, 1 << 40)
    trail.close()
    return lines


@dataclass
class Heard:
    """What has arrived, and a way to wait for it."""

    messages: list[Any] = field(default_factory=list[Any])
    news: threading.Condition = field(default_factory=threading.Condition)

    def add(self, message: Any) -> None:
        with self.news:
            self.messages.append(message)
            self.news.notify_all()

    def first(self, count: int) -> list[Any]:
        """Fails where they do not come."""
        with self.news:
            assert self.news.wait_for(lambda: len(self.messages) >= count, PATIENCE_S), self.messages
            return list(self.messages)


@contextmanager
def datagrams(family: int, address: Any) -> Iterator[tuple[socket.socket, Heard]]:
    heard = Heard()
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind(address)
        sock.settimeout(0.1)
        over = threading.Event()

        def listen() -> None:
            while not over.is_set():
                with suppress(TimeoutError):
                    heard.add(sock.recv(1 << 16))

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield sock, heard
        finally:
            over.set()
            thread.join(PATIENCE_S)


@dataclass
class Stream:
    """A syslog server over TCP: each connection's messages, framed by their length."""

    heard: Heard = field(default_factory=Heard)
    context: ssl.SSLContext | None = None
    port: int = 0
    _connection: socket.socket | None = None

    def hang_up(self) -> None:
        if self._connection is not None:
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)
            self._connection.close()

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                plain, _ = listener.accept()
                self._connection = self.context.wrap_socket(plain, server_side=True) if self.context else plain
            except OSError:
                return
            with suppress(OSError, ValueError), self._connection.makefile("rb") as file:
                while size := _number(file):
                    self.heard.add(file.read(size))
            self._connection.close()


def _number(file: Any) -> int:
    digits = b""
    while (byte := file.read(1)) not in (b" ", b""):
        digits += byte
    return int(digits or b"0")


@contextmanager
def stream(context: ssl.SSLContext | None = None) -> Iterator[Stream]:
    made = Stream(context=context)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made.port = listener.getsockname()[1]
        thread = threading.Thread(target=made.serve, args=(listener,))
        thread.start()
        try:
            yield made
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            made.hang_up()
            thread.join(PATIENCE_S)


@dataclass
class Posts:
    """A collector: what was posted and taken, with which headers; `status` and `says` are its answers."""

    heard: Heard = field(default_factory=Heard)
    refused: int = 0
    status: int = 200
    says: bytes = b"{}"
    url: str = ""


@contextmanager
def collector(context: ssl.SSLContext | None = None) -> Iterator[Posts]:
    posts = Posts()

    class Handler(Asked):
        def answer(self, body: bytes) -> None:
            status = posts.status  # kept before it is answered: whoever is may send the next at once
            if status == HTTPStatus.OK:
                posts.heard.add((dict(self.headers), body))
            else:
                posts.refused += 1
            self.say(status, posts.says)

    with answering(Handler, context) as port:
        posts.url = f"{'https' if context else 'http'}://127.0.0.1:{port}/in"
        yield posts


def documents(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in body.splitlines()]
