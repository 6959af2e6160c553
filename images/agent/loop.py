"""The relay's loop: descriptors, what to call when they are ready, and connections that may not last for ever."""

import selectors
import socket
import time
from collections.abc import Callable

TYPE_CHECKING = False
if TYPE_CHECKING:  # to import typing takes 2 ms of each start and 1 MB of each sandbox
    from typing import Protocol

    class Timed(Protocol):
        """What may have a deadline, on the monotonic clock."""

        closed: bool
        deadline: float | None

        def expire(self) -> None: ...


HURRIED_S = 0.02
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Loop:
    """Descriptors and what to call when they are ready."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timed: dict[int, Timed] = {}
        self.hurried = 0  # how many of them cannot wait a second for their turn

    def watch(self, sock: socket.socket, events: int, ready: Callable[[int], None]) -> None:
        self._selector.register(sock, events, ready)

    def change(self, sock: socket.socket, events: int, ready: Callable[[int], None]) -> None:
        self._selector.modify(sock, events, ready)

    def forget(self, sock: socket.socket) -> None:
        self._selector.unregister(sock)

    def time(self, connection: "Timed") -> None:
        self._timed[id(connection)] = connection

    def run(self) -> None:
        while True:
            for key, events in self._selector.select(self._patience()):
                key.data(events)
            if self._timed:
                self._expire(time.monotonic())

    def _patience(self) -> float | None:
        if self.hurried:
            return HURRIED_S
        return 1.0 if self._timed else None

    def _expire(self, now: float) -> None:
        for name, connection in list(self._timed.items()):
            if connection.deadline is None or connection.closed:
                del self._timed[name]
            elif now > connection.deadline:
                connection.expire()


def listening(address: tuple[str, int]) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(address)
    sock.listen(512)
    sock.setblocking(False)
    return sock
