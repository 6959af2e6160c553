"""One connection of the relay, between a program and a gate that are ends of socket pairs."""

import importlib
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.images.world import AGENT

sys.path.insert(0, str(AGENT))  # the agent is a folder on PID 1's path, not a package
connection: Any = importlib.import_module("connection")
loop_module: Any = importlib.import_module("loop")

CONNECT = b"CONNECT a.test:443 HTTP/1.1\r\n\r\n"


class Line:
    def __init__(self, connect: bytes = CONNECT) -> None:
        self.program, inner = socket.socketpair()
        self.gate, outer = socket.socketpair()
        for sock in (inner, outer, self.program, self.gate):
            sock.setblocking(False)
        self.loop, self.ended = loop_module.Loop(), 0
        opening = connection.Opening(connect, b"d-1")
        self.made = connection.Connection(self.loop, memoryview(bytearray(1 << 16)), inner, outer, opening, self._count)

    def _count(self) -> None:
        self.ended += 1

    def settle(self) -> None:
        """Everything that is ready is done."""
        while ready := self.loop._selector.select(0.05):
            for key, events in ready:
                key.data(events)

    def close(self) -> None:
        if not self.ended:
            self.made.close(reset=False)
        self.program.close()
        self.gate.close()
        self.loop._selector.close()


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    made.close()


def test_the_gate_is_told_whose_it_is_and_where_it_leads_and_what_follows_at_once(line: Line) -> None:
    line.program.send(b"early")
    line.settle()

    assert line.gate.recv(100) == b"\0mark\x03d-1" + CONNECT + b"early"


def test_the_programs_never_see_the_gates_answer(line: Line) -> None:
    line.gate.send(b"HTTP/1.1 200 ")
    line.settle()
    line.gate.send(b"OK\r\nvia: gate\r\n\r\nfirst")
    line.settle()

    assert line.program.recv(100) == b"first"
    assert line.made.deadline is None


@pytest.mark.parametrize("answer", [b"HTTP/1.1 403 No\r\n\r\n", b"x" * (17 << 10), b""], ids=["no", "endless", "none"])
def test_another_answer_ends_it(line: Line, answer: bytes) -> None:
    if answer:
        line.gate.send(answer)
    else:
        line.gate.close()
    line.settle()

    assert line.ended == 1
    assert line.program.recv(100) == b""


def test_an_answer_that_does_not_come_in_time_ends_it(line: Line) -> None:
    line.made.expire()

    assert line.ended == 1


def test_either_side_may_say_its_last_and_hear_the_other_out(line: Line) -> None:
    line.gate.send(b"HTTP/1.1 200 OK\r\n\r\n")
    line.program.shutdown(socket.SHUT_WR)
    line.settle()
    assert line.gate.recv(100) == b"\0mark\x03d-1" + CONNECT
    assert (line.gate.recv(100), line.ended) == (b"", 0)

    line.gate.send(b"the rest")
    line.gate.shutdown(socket.SHUT_WR)
    line.settle()

    assert (line.program.recv(100), line.program.recv(100), line.ended) == (b"the rest", b"", 1)


def test_what_a_slow_reader_leaves_is_kept_and_no_more_is_read_meanwhile(line: Line) -> None:
    line.gate.send(b"HTTP/1.1 200 OK\r\n\r\n")
    line.settle()
    sent = 0
    while True:
        try:
            sent += line.gate.send(b"x" * 65536)
        except BlockingIOError:
            line.settle()
            if not line.made.program.waiting:
                continue
            break
    kept = len(line.made.program.waiting)

    heard = 0
    while heard < sent:
        heard += len(line.program.recv(1 << 20))
        line.settle()

    assert 0 < kept <= 1 << 16
    assert (heard, len(line.made.program.waiting)) == (sent, 0)
