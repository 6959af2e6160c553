import importlib
import random
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

import pytest

from egress.destination import normal_host
from tests.images.world import AGENT

sys.path.insert(0, str(AGENT))  # the agent is a folder on PID 1's path, not a package
resolver: Any = importlib.import_module("resolver")


def question(name: str, kind: int = 1, *, number: int = 7, flags: int = 0x0100) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".") if part)
    return struct.pack("!HHHHHH", number, flags, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


def told(answer: bytes) -> tuple[int, str | None]:
    """(rcode, address)."""
    _, flags, _, answers = struct.unpack_from("!HHHH", answer)
    return flags & 15, socket.inet_ntoa(answer[-4:]) if answers else None


@pytest.fixture
def ask() -> Callable[..., tuple[int, str | None]]:
    names = resolver.Names()
    return lambda name, kind=1: told(resolver.answer(question(name, kind), names))


def test_every_name_has_an_address_of_its_own(ask: Any) -> None:
    first, second, again = ask("one.test"), ask("two.test"), ask("ONE.test")

    assert first == again == (0, "127.64.0.1")
    assert second == (0, "127.64.0.2")


def test_localhost_is_this_sandbox(ask: Any) -> None:
    assert {ask("localhost"), ask("app.localhost")} == {(0, "127.0.0.1")}


def test_every_other_type_has_no_data(ask: Any) -> None:
    assert {ask("one.test", kind) for kind in range(260) if kind != 1} == {(0, None)}


@pytest.mark.parametrize(
    "name", ["a b.test", "-a.test", "a-.test", "10.1.2.3", "127.1", "a.0x7f", ".".join(["label"] * 43), ""]
)
def test_what_is_no_host_name_does_not_exist(ask: Any, name: str) -> None:
    assert ask(name) == (3, None)


def test_the_longest_name_that_the_gate_takes_has_an_address(ask: Any) -> None:
    longest = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])

    assert normal_host(longest) == longest
    assert ask(longest) == (0, "127.64.0.1")
    assert ask(f"{longest}d") == (3, None)


@pytest.mark.parametrize("packet", [b"", b"x" * 11, question("a.test", flags=0x8180), b"\xff" * 600])
def test_an_answer_is_not_answered_nor_what_is_too_short_for_one(packet: bytes) -> None:
    with pytest.raises(resolver.Malformed):
        resolver.answer(packet, resolver.Names())


TWICE = struct.pack("!HHHHHH", 7, 0x0100, 2, 0, 0, 0) + 2 * question("a.test")[12:]


@pytest.mark.parametrize(
    "packet", [question("a.test")[:-3], b"\0\7" + b"\0" * 10, TWICE, question("a")[:12] + b"\xc0\x0c\0\1\0\1"]
)
def test_what_cannot_be_read_is_said_to_be_a_format_error(packet: bytes) -> None:
    answered = resolver.answer(packet, resolver.Names())

    assert told(answered) == (1, None)
    assert answered[:2] == b"\0\7"


def test_random_packets_never_do_more_than_that() -> None:
    names, dice = resolver.Names(), random.Random(1)
    for _ in range(20_000):
        packet = bytearray(question("some.name.test"))
        for _ in range(dice.randrange(6)):
            packet[dice.randrange(len(packet))] = dice.randrange(256)
        try:
            resolver.answer(bytes(packet[: dice.randrange(len(packet) + 1)]), names)
        except resolver.Malformed:
            continue


def test_a_flood_of_names_is_forgotten_and_its_addresses_are_not_reused_soon() -> None:
    names = resolver.Names()
    first = names.address("first.test")
    for number in range(100_000):
        names.address(f"n{number}.test")

    assert names.name(first) is None
    assert names.name(names.address("n99999.test")) == "n99999.test"
    assert len(names._names) == len(names._addresses) == resolver.MOST_NAMES


def test_addresses_come_round_without_meeting_one_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "LAST", resolver.FIRST + 7)
    monkeypatch.setattr(resolver, "MOST_NAMES", 4)
    names = resolver.Names()
    for number in range(50):
        names.address("kept.test")
        names.address(f"n{number}.test")

    assert len(set(names._names)) == 4
    assert names.name(names.address("kept.test")) == "kept.test"
