"""One connection through the relay: a program on one side, the gate on the other, and what waits between them."""

import contextlib
import socket
import struct
import time
from collections.abc import Callable

from loop import READ, WRITE, Loop

MOST_REPLY = 16 * 1024  # the gate's answer to CONNECT
REPLY_S = 15.0
LINGER_S = 5.0
MARKED = b"\0mark"  # how what is said of a connection begins
RESET = struct.pack("ii", 1, 0)  # SO_LINGER of 0 seconds: close with RST


class End:
    """One side of a connection: its socket, and what waits to be written to it."""

    def __init__(self, loop: Loop, sock: socket.socket, ready: Callable[["End", int], None]) -> None:
        self._loop = loop
        self.sock = sock
        self.waiting = memoryview(b"")
        self.open = True  # it may still send to us
        self.dead = False  # it takes nothing any more
        self.broken = False  # it went away without a word
        self.ending = False  # nothing more will be written to it
        self._events = READ
        self._ready = lambda events: ready(self, events)
        loop.watch(sock, READ, self._ready)

    def want(self, events: int) -> None:
        if events == self._events:
            return
        if not self._events:
            self._loop.watch(self.sock, events, self._ready)
        elif not events:
            self._loop.forget(self.sock)  # epoll reports a hang-up even to those who ask for nothing
        else:
            self._loop.change(self.sock, events, self._ready)
        self._events = events

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send what goes at once and keep the rest; the caller stops reading while there is a rest."""
        if self.dead:
            return
        try:
            sent = self.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.die()
            return
        self.waiting = memoryview(bytes(data[sent:])) if sent < len(data) else memoryview(b"")

    def flush(self) -> None:
        if self.waiting:
            self.write(self.waiting)
        if self.ending and not self.waiting and not self.dead:
            self.dead = True
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_WR)

    def finish(self) -> None:
        """Half-close it as soon as all is written."""
        self.ending = True
        self.flush()

    def die(self) -> None:
        self.dead = self.broken = True
        self.waiting = memoryview(b"")

    def close(self, *, reset: bool) -> None:
        self.want(0)
        if reset and self.sock.family == socket.AF_INET:
            with contextlib.suppress(OSError):
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.sock.close()


class Opening:
    """What the gate is sent first: whose connection it is, where that is known, and where it leads, unless it says so."""

    def __init__(self, connect: bytes, mark: bytes = b"") -> None:
        self.connect = connect
        self.bytes = (MARKED + bytes([len(mark)]) + mark if mark else b"") + connect


class Connection:
    """A program on one side, the gate on the other, bytes both ways. `head` is what the gate's reply starts with."""

    def __init__(
        self,
        loop: Loop,
        chunk: memoryview,
        program: socket.socket,
        gate: socket.socket,
        opening: Opening,
        ended: Callable[[], None],
    ) -> None:
        """`chunk` is what all connections are read into: one thread has one read at a time. `ended` is told of the end."""
        self._loop, self._chunk, self._gone = loop, chunk, ended
        self.program = End(loop, program, self._ready)
        self.gate = End(loop, gate, self._ready)
        self.closed = False
        self.deadline: float | None = None
        self._head: bytearray | None = None
        if opening.connect:
            self._head = bytearray()
            self._due(REPLY_S)
        self.gate.write(opening.bytes)  # what the program says first may follow at once: a round trip less

    def _due(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds
        self._loop.time(self)

    def expire(self) -> None:
        """The gate did not answer in time, or the program goes on after it was told everything."""
        if self._head is not None:
            self.close(reset=True)
        elif self.program.waiting:
            self._due(LINGER_S)  # a slow reader; it gets all of it
        else:
            self.close(reset=False)

    def _ready(self, end: End, events: int) -> None:
        if self.closed:
            return
        other = self.gate if end is self.program else self.program
        if events & WRITE:
            end.flush()
        if events & READ and end.open and not other.waiting:  # a hang-up is reported as readable, wanted or not
            self._read(end, other)
        if not self.closed:
            self._settle()

    def _read(self, end: End, other: End) -> None:
        try:
            size = end.sock.recv_into(self._chunk)
        except BlockingIOError:
            return
        except OSError:
            size = 0
            end.die()
        if size == 0:
            self._ended(end, other)
        elif end is self.gate and self._head is not None:
            self._reply(bytes(self._chunk[:size]))
        else:
            other.write(self._chunk[:size])

    def _ended(self, end: End, other: End) -> None:
        end.open = False
        if self._head is not None and end is self.gate:
            self.close(reset=True)
            return
        other.finish()
        if end is self.gate:
            self._due(LINGER_S)  # a program that goes on sending would else keep a connection that leads nowhere

    def _reply(self, data: bytes) -> None:
        """The gate's answer to CONNECT, which the program never sees."""
        head = self._head if self._head is not None else bytearray()
        head += data
        end = head.find(b"\r\n\r\n")
        if end < 0 and len(head) < MOST_REPLY:
            return
        if end < 0 or not head.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200")):
            self.close(reset=True)
            return
        self._head, self.deadline = None, None
        if rest := head[end + 4 :]:
            self.program.write(rest)

    def _settle(self) -> None:
        """Read only where what was read can go on; close where nothing is left to do."""
        over = not (self.program.open or self.gate.open or self.program.waiting or self.gate.waiting)
        if over or self.program.broken:
            self.close(reset=False)
            return
        for end, other in ((self.program, self.gate), (self.gate, self.program)):
            end.want((READ if end.open and not other.waiting else 0) | (WRITE if end.waiting else 0))

    def close(self, *, reset: bool) -> None:
        self.closed = True
        self.program.close(reset=reset)
        self.gate.close(reset=False)
        self._gone()
