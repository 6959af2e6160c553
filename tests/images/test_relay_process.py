import importlib
import selectors
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.images.world import AGENT

sys.path.insert(0, str(AGENT))  # the agent is a folder on PID 1's path, not a package
relay_process: Any = importlib.import_module("relay_process")
whose: Any = importlib.import_module("whose")


class Bench:
    """The agent's end of the line, and the relay's in the hands of a test."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.process = relay_process.RelayProcess((), self.selector, whose.Whose(None, lambda: ()))
        ours, self.relay = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        self.process._asking = ours
        self.selector.register(ours, selectors.EVENT_READ, self.process._hear)

    def turn(self) -> None:
        for key, _ in self.selector.select(0):
            key.data()

    @property
    def hears(self) -> bool:
        return bool(self.selector.get_map())


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.process._hang_up()
    made.relay.close()
    made.selector.close()


def test_questions_are_answered_so_many_in_a_turn(bench: Bench) -> None:
    for number in range(relay_process.QUESTIONS + 1):
        bench.relay.send(whose.QUESTION.pack(number, b"abcd", 1, b"efgh", 2))
    bench.turn()
    answers = [bench.relay.recv(64) for _ in range(relay_process.QUESTIONS)]

    assert answers == [number.to_bytes(4) for number in range(relay_process.QUESTIONS)]
    bench.turn()
    assert bench.relay.recv(64) == relay_process.QUESTIONS.to_bytes(4)


def test_a_relay_that_makes_no_sense_or_is_gone_is_heard_no_more(bench: Bench) -> None:
    bench.relay.send(b"nonsense")
    bench.turn()
    assert not bench.hears
    bench.turn()

    gone = Bench()
    gone.relay.close()
    gone.turn()
    assert not gone.hears
    gone.selector.close()
