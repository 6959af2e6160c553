"""The relay in a real network namespace, in front of a real gate. Programs beside it know of no proxy."""

import os
import random
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.egress.world.certificates import FakeAuthority
from tests.egress.world.gate import Gate
from tests.egress.world.origin import Origin
from tests.images.world import AGENT, Namespace

sys.path.insert(0, str(AGENT))
import relay

needs_namespaces = pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace needs root here")


def question(name: str, kind: int = 1, *, number: int = 7, flags: int = 0x0100) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".") if part)
    return struct.pack("!HHHHHH", number, flags, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


def told(answer: bytes) -> tuple[int, str | None]:
    """(rcode, address)."""
    _, flags, _, answers = struct.unpack_from("!HHHH", answer)
    return flags & 15, socket.inet_ntoa(answer[-4:]) if answers else None


@pytest.fixture
def ask() -> Callable[..., tuple[int, str | None]]:
    names = relay.Names()
    return lambda name, kind=1: told(relay.answer(question(name, kind), names))


def test_every_name_has_an_address_of_its_own(ask: Any) -> None:
    first, second, again = ask("one.test"), ask("two.test"), ask("ONE.test")

    assert first == again == (0, "127.64.0.1")
    assert second == (0, "127.64.0.2")


def test_localhost_is_this_sandbox(ask: Any) -> None:
    assert {ask("localhost"), ask("app.localhost")} == {(0, "127.0.0.1")}


@pytest.mark.parametrize("kind", [28, 65, 16, 15, 12, 255])
def test_every_other_type_has_no_data(ask: Any, kind: int) -> None:
    assert ask("one.test", kind) == (0, None)


def test_what_is_no_host_name_does_not_exist(ask: Any) -> None:
    assert ask("a b.test") == (3, None)


@pytest.mark.parametrize(
    "packet", [b"", b"x" * 11, question("a.test")[:-3], question("a.test", flags=0x8180), b"\0" * 12, b"\xff" * 600]
)
def test_what_is_no_question_is_not_answered(packet: bytes) -> None:
    with pytest.raises(relay.Malformed):
        relay.answer(packet, relay.Names())


def test_random_packets_never_do_more_than_that() -> None:
    names, dice = relay.Names(), random.Random(1)
    for _ in range(20_000):
        packet = bytearray(question("some.name.test"))
        for _ in range(dice.randrange(6)):
            packet[dice.randrange(len(packet))] = dice.randrange(256)
        try:
            relay.answer(bytes(packet[: dice.randrange(len(packet) + 1)]), names)
        except relay.Malformed:
            continue


def test_a_flood_of_names_is_forgotten_and_its_addresses_are_not_reused_soon() -> None:
    names = relay.Names()
    first = names.address("first.test")
    for number in range(100_000):
        names.address(f"n{number}.test")

    assert names.name(first) is None
    assert names.name(names.address("n99999.test")) == "n99999.test"
    assert len(names._names) == len(names._addresses) == relay.MOST_NAMES


def test_addresses_come_round_without_meeting_one_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "LAST", relay.FIRST + 7)
    monkeypatch.setattr(relay, "MOST_NAMES", 4)
    names = relay.Names()
    for number in range(50):
        names.address("kept.test")
        names.address(f"n{number}.test")

    assert len(set(names._names)) == 4
    assert names.name(names.address("kept.test")) == "kept.test"


class House:
    """A gate with a session bound to three names, origins at ports 80 and 443 of an address, and the relay."""

    def __init__(self, folder: Path, sockets: Path) -> None:
        self.authority = FakeAuthority(folder)
        self.secure = Origin(self.authority.context("allowed.test"), ("127.77.0.1", 443))
        self.plain = Origin(None, ("127.77.0.1", 80))
        table = {"allowed.test": "127.77.0.1", "denied.test": "127.77.0.1"}
        self.gate = Gate(folder).ready(upstream_ca=str(self.authority.path), networks=["127.77.0.0/16"], resolve=table)
        self.path = sockets / "e.sock"
        assert self.gate.ask(op="open", session="s", socket=str(self.path))["ok"]
        assert self.gate.ask(op="bind", session="s", allow=["allowed.test"])["ok"]
        self.space = Namespace(folder, self.path)

    def curl(self, *arguments: str) -> tuple[int, str]:
        done = self.space.run("curl", "-sS", "--max-time", "10", "--cacert", str(self.gate.ca), *arguments)
        return done.returncode, (done.stdout + done.stderr).decode()

    def close(self) -> None:
        self.space.close()
        self.gate.close()
        self.secure.close()
        self.plain.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    built = House(tmp_path_factory.mktemp("house"), tmp_path_factory.mktemp("s"))
    yield built
    built.close()


@needs_namespaces
@pytest.mark.promise("egress.only_gate")
def test_there_is_no_interface_but_loopback(house: House) -> None:
    assert house.space.python("import socket; print(socket.if_nameindex())") == "[(1, 'lo')]"


@needs_namespaces
@pytest.mark.parametrize("url", ["https://allowed.test/x", "http://allowed.test/x", "https://ALLOWED.test/x"])
def test_a_program_that_knows_no_proxy_reaches_an_allowed_host(house: House, url: str) -> None:
    assert house.curl("--http1.1", url)[1].startswith("hello /x")


@needs_namespaces
def test_http2_and_the_proxy_variable_work_too(house: House) -> None:
    assert house.curl("https://allowed.test/x") == (0, "hello over h2")
    assert house.curl("-x", "http://127.0.0.1:3128", "https://allowed.test/x") == (0, "hello over h2")


@needs_namespaces
@pytest.mark.promise("egress.refusal_explains")
def test_a_refused_host_reads_why(house: House) -> None:
    for url in ("https://denied.test/x", "http://denied.test/x"):
        assert "not on this session's list" in house.curl(url)[1]


CONNECT = """
import socket, sys
host, port = sys.argv[1], int(sys.argv[2])
try:
    sock = socket.create_connection((host, port), 5)
    sock.sendall(b"GET / HTTP/1.1\\r\\n\\r\\n")
    print(sock.recv(1000))
except OSError as error:
    print(type(error).__name__)
"""


@needs_namespaces
@pytest.mark.promise("egress.only_gate")
@pytest.mark.parametrize("address", ["127.64.99.99", "127.0.0.1", "127.1.2.3"])
def test_an_address_that_was_not_handed_out_is_reset_at_once(house: House, address: str) -> None:
    assert house.space.python(CONNECT, address, "80") == "ConnectionResetError"


@needs_namespaces
@pytest.mark.promise("egress.only_gate")
@pytest.mark.parametrize(
    ("address", "port"), [("8.8.8.8", "53"), ("169.254.169.254", "80"), ("1.1.1.1", "443"), ("allowed.test", "22")]
)
def test_nothing_else_has_a_way_out(house: House, address: str, port: str) -> None:
    assert house.space.python(CONNECT, address, port) in {"OSError", "ConnectionRefusedError"}


@needs_namespaces
def test_dns_over_tcp_answers_too(house: House) -> None:
    code = f"""
import socket, struct
sock = socket.create_connection(("127.0.0.1", 53), 5)
packet = {question("allowed.test")!r}
sock.sendall(struct.pack("!H", len(packet)) + packet)
print(socket.inet_ntoa(sock.recv(600)[-4:]))
"""
    assert house.space.python(code).startswith("127.64.")


@needs_namespaces
def test_a_million_names_keep_memory_flat(house: House) -> None:
    code = """
import socket, struct
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.connect(("127.0.0.1", 53))
for n in range(1_000_000):
    name = b"n%07d" % n
    sock.send(b"\\0\\7\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\x08" + name + b"\\4test\\0\\0\\1\\0\\1")
    if n % 50 == 0:
        sock.recv(600)
"""
    before = house.space.memory_mb()
    house.space.python(code, seconds=90)

    assert house.space.memory_mb() - before < 5
    assert house.curl("--http1.1", "https://allowed.test/x")[1].startswith("hello /x")


@needs_namespaces
def test_large_bodies_go_both_ways_and_are_not_held(house: House, tmp_path: Path) -> None:
    upload = tmp_path / "upload"
    upload.write_bytes(bytes(30_000_000))
    before = house.space.memory_mb()
    down = house.curl("--http1.1", "-o", "/dev/null", "-w", "%{size_download}", "https://allowed.test/big?30000000")
    up = house.curl("--http1.1", "-T", str(upload), "https://allowed.test/up")

    assert (down, up[1].split()[2]) == ((0, "30000000"), "30000000")
    assert house.space.memory_mb() - before < 5


@needs_namespaces
def test_a_refused_upload_reads_why_although_nobody_reads_it(house: House, tmp_path: Path) -> None:
    upload = tmp_path / "upload"
    upload.write_bytes(bytes(8_000_000))

    assert (
        "not on this session's list"
        in house.curl("--http1.1", "-H", "Expect:", "-T", str(upload), "https://denied.test/up")[1]
    )


@needs_namespaces
def test_three_hundred_connections_at_once_are_served_in_turn(house: House) -> None:
    code = """
import socket, threading
def fetch():
    sock = socket.create_connection(("allowed.test", 80), 20)
    sock.sendall(b"GET /n HTTP/1.1\\r\\nHost: allowed.test\\r\\nConnection: close\\r\\n\\r\\n")
    answers.append(sock.recv(5))
answers = []
threads = [threading.Thread(target=fetch) for _ in range(300)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len([answer for answer in answers if answer == b"HTTP/"]))
"""
    assert int(house.space.python(code, seconds=60)) >= 128


@needs_namespaces
def test_an_idle_relay_uses_no_cpu_and_outlives_its_gate(house: House, tmp_path: Path) -> None:
    space = Namespace(house.space._folder, tmp_path / "nobody.sock")
    before = space.cpu_s()
    assert space.python(CONNECT, "allowed.test", "80") == "ConnectionResetError"
    assert space.cpu_s() - before < 0.1
    space.close()
