"""The resolver and relay of a sandbox: names get addresses of their own, connections to those become CONNECT.

Standard library only, one thread, one loop. It is convenience and not trust: anything in the sandbox may speak to the
gate's socket itself, and the gate judges all that it hears. What it owes the sandbox is speed and a bound on memory.
"""

import errno
import socket
import time
from collections.abc import Callable

from connection import RESET, Connection, Opening
from loop import READ, Loop, listening
from resolver import Names, Resolver
from whose import QUESTION

PROXY = ("127.0.0.1", 3128)  # for programs that know HTTP_PROXY; passed through as it is
MOST_CONNECTIONS = 200
CHUNK = 64 * 1024  # what a slow reader leaves of it is held, for each of 200 connections and both ways
MOST_WAITING_S = 2.0  # for the agent's word on whose connection it is; after it, nobody's
GATE_S = 12.0  # how long a connection is held while the gate is not there: at a start, or after it died


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
        Connection(self.loop, self.chunk, program, gate, opening, self.ended)
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
