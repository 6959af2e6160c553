"""The resolver and relay of a sandbox: names get addresses of their own, connections to those become CONNECT.

Standard library only, one thread, one loop. It is convenience and not trust: anything in the sandbox may speak to the
gate's socket itself, and the gate judges all that it hears. What it owes the sandbox is speed and a bound on memory.
"""

import contextlib
import errno
import socket
import struct
import time
from collections.abc import Callable

from loop import READ, WRITE, Loop, listening
from resolver import Names, Resolver
from whose import QUESTION

PROXY = ("127.0.0.1", 3128)  # for programs that know HTTP_PROXY; passed through as it is
MOST_CONNECTIONS = 200
CHUNK = 64 * 1024  # what a slow reader leaves of it is held, for each of 200 connections and both ways
MOST_REPLY = 16 * 1024  # the gate's answer to CONNECT
REPLY_S = 15.0
MOST_WAITING_S = 0.25  # for the agent's word on whose connection it is; after it, nobody's
GATE_S = 12.0  # how long a connection is held while the gate is not there: at a start, or after it died
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

    def __init__(self, relay: "Relay", program: socket.socket, gate: socket.socket, opening: "Opening") -> None:
        self._relay = relay
        self.program = End(relay.loop, program, self._ready)
        self.gate = End(relay.loop, gate, self._ready)
        self.closed = False
        self.deadline: float | None = None
        self._head: bytearray | None = None
        if opening.connect:
            self._head = bytearray()
            self._due(REPLY_S)
        self.gate.write(opening.bytes)  # what the program says first may follow at once: a round trip less

    def _due(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds
        self._relay.loop.time(self)

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
            size = end.sock.recv_into(self._relay.chunk)
        except BlockingIOError:
            return
        except OSError:
            size = 0
            end.die()
        if size == 0:
            self._ended(end, other)
        elif end is self.gate and self._head is not None:
            self._reply(bytes(self._relay.chunk[:size]))
        else:
            other.write(self._relay.chunk[:size])

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
        self._relay.ended()


class Held:
    """A program's connection while the gate does not listen: what it says waits in the kernel, and a reset comes late."""

    def __init__(self, relay: "Relay", program: socket.socket, opening: Opening) -> None:
        self._relay, self._program, self._opening = relay, program, opening
        self._until = time.monotonic() + GATE_S
        self.deadline: float | None = time.monotonic()
        self.closed = False
        relay.loop.hurried += 1
        relay.loop.time(self)

    def expire(self) -> None:
        """Try once more; give up when it has taken too long."""
        if self._relay.through(self._program, self._opening):
            self._finish()
        elif time.monotonic() > self._until:
            _reset(self._program)
            self._relay.ended()
            self._finish()

    def _finish(self) -> None:
        self.closed = True
        self._relay.loop.hurried -= 1


class Asked:
    """A program's connection while the agent is asked whose it is."""

    def __init__(self, relay: "Relay", program: socket.socket, connect: bytes) -> None:
        self._relay, self._program, self._connect = relay, program, connect
        self.deadline: float | None = time.monotonic() + MOST_WAITING_S
        self.closed = False
        relay.loop.hurried += 1
        relay.loop.time(self)

    def expire(self) -> None:
        self.told(b"")

    def told(self, mark: bytes) -> None:
        if not self.closed:
            self.closed = True
            self._relay.loop.hurried -= 1
            self._relay.start(self._program, Opening(self._connect, mark))


class Agent:
    """The other end of the line on which the relay asks whose a connection is. Without one, nobody is asked."""

    def __init__(self, loop: Loop, line: socket.socket | None) -> None:
        self._loop, self._line = loop, line
        self._asked: dict[int, Asked] = {}
        self._last = 0
        if line is not None:
            line.setblocking(False)
            loop.watch(line, READ, self._hear)

    def ask(self, program: socket.socket, make: Callable[[], Asked]) -> bool:
        """Whether it was asked; whoever `make` makes is told then."""
        self._last = (self._last + 1) & 0xFFFFFFFF
        (host, port), (ours, our_port) = program.getpeername(), program.getsockname()
        question = QUESTION.pack(self._last, socket.inet_aton(host), port, socket.inet_aton(ours), our_port)
        try:
            if self._line is None or self._line.send(question) <= 0:
                return False
        except OSError:
            return False
        self._asked[self._last] = make()
        return True

    def _hear(self, _events: int) -> None:
        try:
            said = self._line.recv(512) if self._line else b""
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if not said and self._line is not None:
            self._loop.forget(self._line)
            self._line = None
        elif (asked := self._asked.pop(int.from_bytes(said[:4]), None)) is not None:
            asked.told(said[4:])


class Relay:
    """Listeners, and the connections they led to; at most so many that the rest waits in the kernel."""

    def __init__(self, gate_socket: str, agent: socket.socket | None = None) -> None:
        self.loop = Loop()
        self.names = Names()
        self._agent = Agent(self.loop, agent)
        self.chunk = memoryview(bytearray(CHUNK))
        self._gate = gate_socket
        self._listeners: list[tuple[socket.socket, Callable[[int], None]]] = []
        self._open = 0
        self._paused = False

    def listen(self, address: tuple[str, int]) -> None:
        sock = listening(address)
        self._listeners.append((sock, lambda _events: self._accept(sock)))
        self.loop.watch(sock, READ, self._listeners[-1][1])

    def _accept(self, listener: socket.socket) -> None:
        try:
            program, _ = listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno in {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS} and self._open:
                self._pause()  # goes on when a connection ends
            return
        program.setblocking(False)
        host, port = program.getsockname()
        if (host, port) == PROXY:
            self._connect(program, b"")
        elif name := self.names.name(host):
            self._connect(program, f"CONNECT {name}:{port} HTTP/1.1\r\nHost: {name}:{port}\r\n\r\n".encode())
        else:
            _reset(program)

    def _connect(self, program: socket.socket, connect: bytes) -> None:
        program.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else small answers wait 40 ms for an ACK
        self._open += 1
        if not self._agent.ask(program, lambda: Asked(self, program, connect)):
            self.start(program, Opening(connect))
        if self._open >= MOST_CONNECTIONS:
            self._pause()

    def start(self, program: socket.socket, opening: Opening) -> None:
        if not self.through(program, opening):
            Held(self, program, opening)

    def through(self, program: socket.socket, opening: Opening) -> bool:
        """Whether the gate took it; where it does not listen, somebody has to try again."""
        try:
            gate = _dial(self._gate)
        except OSError:
            return False
        Connection(self, program, gate, opening)
        return True

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            for sock, _ in self._listeners:
                self.loop.forget(sock)

    def ended(self) -> None:
        self._open -= 1
        if self._paused and self._open < MOST_CONNECTIONS:
            self._paused = False
            for sock, ready in self._listeners:
                self.loop.watch(sock, READ, ready)


def _dial(path: str) -> socket.socket:
    gate = socket.socket(socket.AF_UNIX)
    try:
        gate.setblocking(False)  # a full backlog is an error here, and never a wait
        gate.connect(path)
    except OSError:
        gate.close()
        raise
    return gate


def _reset(program: socket.socket) -> None:
    program.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    program.close()


def serve(gate_socket: str, ports: tuple[int, ...], agent: socket.socket | None = None) -> None:
    """Resolve on 127.0.0.1:53 and relay what is sent to `ports` on all of 127/8. Returns only by an exception.

    gate_socket: path of the gate's unix socket in this sandbox. agent: asked whose each connection is; see whose.py.
    OSError where an address is taken.
    """
    relay = Relay(gate_socket, agent)
    Resolver(relay.loop, relay.names)
    for port in ports:
        relay.listen(("0.0.0.0", port))
    relay.listen(PROXY)
    relay.loop.run()
