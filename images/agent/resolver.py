"""The resolver of a sandbox: every name has an address of its own in 127.64.0.0/10, and no question leaves."""

import collections
import contextlib
import socket
import struct

from loop import READ, Loop, listening

RESOLVER = ("127.0.0.1", 53)
FIRST, LAST = 0x7F400001, 0x7F7FFFFE  # 127.64.0.1 to 127.127.255.254
MOST_NAMES = 4096
MOST_QUESTIONERS = 16  # DNS over TCP, which nobody needs here
TTL_S = 60
A, IN = 1, 1
HEADER, LONGEST_LABEL, LONGEST_NAME = 12, 63, 253  # bytes, RFC 1035
NO_ERROR, FORMAT_ERROR, NO_SUCH_NAME, NOT_IMPLEMENTED = 0, 1, 3, 4


class Malformed(Exception):
    """A packet is no DNS question that can be read."""


class Names:
    """An address for each name that was asked for; of too many, those go that were not used for longest."""

    def __init__(self) -> None:
        self._addresses: collections.OrderedDict[str, str] = collections.OrderedDict()
        self._names: dict[str, str] = {}
        self._next = FIRST

    def address(self, name: str) -> str:
        if name == "localhost" or name.endswith(".localhost"):
            return "127.0.0.1"
        if name not in self._addresses:
            self._give(name)
        self._addresses.move_to_end(name)
        return self._addresses[name]

    def _give(self, name: str) -> None:
        if len(self._addresses) >= MOST_NAMES:
            _, address = self._addresses.popitem(last=False)
            del self._names[address]
        while (address := _dotted(self._next)) in self._names:
            self._advance()
        self._advance()  # an address comes round again only after four million others
        self._addresses[name] = address
        self._names[address] = name

    def _advance(self) -> None:
        self._next = self._next + 1 if self._next < LAST else FIRST

    def name(self, address: str) -> str | None:
        name = self._names.get(address)
        if name is not None:
            self._addresses.move_to_end(name)
        return name


def _dotted(address: int) -> str:
    return socket.inet_ntoa(struct.pack("!I", address))


def answer(packet: bytes, names: Names) -> bytes:
    """One DNS answer, to everything that is no answer itself: a program that waits for one believes in an outage.

    An address for A, no data for any other type, "no such name" for what is no host name, "format error" for the rest.
    Raises Malformed for what is too short to be asked anything, and for answers.
    """
    if len(packet) < HEADER:
        raise Malformed
    number, flags, questions = struct.unpack_from("!HHH", packet)
    if flags & 0x8000:
        raise Malformed
    try:
        name, end = _question(packet, questions)
    except Malformed:
        return _reply(number, flags, b"", FORMAT_ERROR)
    kind, category = struct.unpack_from("!HH", packet, end - 4)
    if flags & 0x7800:
        return _reply(number, flags, packet[HEADER:end], NOT_IMPLEMENTED)
    if name is None:
        return _reply(number, flags, packet[HEADER:end], NO_SUCH_NAME)
    if (kind, category) != (A, IN):
        return _reply(number, flags, packet[HEADER:end], NO_ERROR)
    return _reply(number, flags, packet[HEADER:end], NO_ERROR, socket.inet_aton(names.address(name)))


def _question(packet: bytes, questions: int) -> tuple[str | None, int]:
    """The name, None where it is no host name, and where the question ends. Raises Malformed, also for more than one."""
    if questions != 1:
        raise Malformed
    labels: list[str] = []
    at = HEADER
    while at < len(packet) and (size := packet[at]):
        if size > LONGEST_LABEL:  # compression points backwards, and a question has nothing before it
            raise Malformed
        labels.append(packet[at + 1 : at + 1 + size].decode("latin1"))
        at += size + 1
    if at + 5 > len(packet):
        raise Malformed
    name = ".".join(labels).lower()
    return (name if _is_host(labels, name) else None), at + 5


def _is_host(labels: list[str], name: str) -> bool:
    """As the gate reads names: what it could only refuse to connect to has no address, and nobody waits for a reset."""
    if not 0 < len(name) <= LONGEST_NAME or not name.isascii() or name.split(".") != [part.lower() for part in labels]:
        return False
    plain = all(part.replace("-", "").replace("_", "").isalnum() and "-" not in part[0] + part[-1] for part in labels)
    last = labels[-1].lower()
    return plain and not (last.isdigit() or last.startswith("0x"))


def _reply(number: int, asked: int, question: bytes, code: int, address: bytes = b"") -> bytes:
    flags = 0x8080 | (asked & 0x7900) | code  # an answer, recursion available, the opcode and wish of the question
    head = struct.pack("!HHHHHH", number, flags, 1 if question else 0, 1 if address else 0, 0, 0)
    record = struct.pack("!HHHIH", 0xC00C, A, IN, TTL_S, 4) + address if address else b""
    return head + question + record


class Resolver:
    """Answers on UDP at once; on TCP one question for a connection."""

    def __init__(self, loop: Loop, names: Names) -> None:
        self._loop = loop
        self._names = names
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(RESOLVER)
        self._udp.setblocking(False)
        loop.watch(self._udp, READ, self._datagram)
        self._tcp = listening(RESOLVER)
        loop.watch(self._tcp, READ, self._accept)
        self._asking: collections.OrderedDict[socket.socket, None] = collections.OrderedDict()

    def _datagram(self, _events: int) -> None:
        for _ in range(64):  # then the others have their turn
            try:
                packet, sender = self._udp.recvfrom(4096)
            except OSError:
                return
            with contextlib.suppress(Malformed, OSError):
                self._udp.sendto(answer(packet, self._names), sender)

    def _accept(self, _events: int) -> None:
        try:
            asking, _ = self._tcp.accept()
        except OSError:
            return
        asking.setblocking(False)
        if len(self._asking) >= MOST_QUESTIONERS:
            self._drop(next(iter(self._asking)))
        self._asking[asking] = None
        self._loop.watch(asking, READ, lambda _events: self._asked(asking))

    def _asked(self, asking: socket.socket) -> None:
        with contextlib.suppress(Malformed, OSError):
            packet = asking.recv(4098)  # a question is one segment; one that is not gets no answer
            if int.from_bytes(packet[:2]) == len(packet) - 2:
                told = answer(packet[2:], self._names)
                asking.send(struct.pack("!H", len(told)) + told)
                return
        self._drop(asking)

    def _drop(self, asking: socket.socket) -> None:
        del self._asking[asking]
        self._loop.forget(asking)
        asking.close()
