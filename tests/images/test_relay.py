"""The relay in a real network namespace, in front of a real gate. Programs beside it know of no proxy."""

import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.egress.world.certificates import FakeAuthority
from tests.egress.world.gate import Gate
from tests.egress.world.origin import Origin
from tests.images.world import Namespace
from tests.waiting import PATIENCE_S, until

needs_namespaces = pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace needs root here")


QUESTION = b"\0\7\1\0\0\1\0\0\0\0\0\0\7allowed\4test\0\0\1\0\1"


class House:
    """A gate with a session bound to three names, origins at ports 80 and 443 of an address, and the relay."""

    def __init__(self, folder: Path, sockets: Path) -> None:
        self.authority = FakeAuthority(folder)
        self.secure = Origin(self.authority.context("allowed.test"), ("127.77.0.1", 443))
        self.plain = Origin(None, ("127.77.0.1", 80))
        self.older = Origin(self.authority.context("older.test", protocols=("http/1.1",)), ("127.77.0.2", 443))
        table = {"allowed.test": "127.77.0.1", "denied.test": "127.77.0.1", "older.test": "127.77.0.2"}
        self.gate = Gate(folder).ready(upstream_ca=str(self.authority.path), networks=["127.77.0.0/16"], resolve=table)
        self.path = sockets / "e.sock"
        assert self.gate.ask(op="open", session="s", socket=str(self.path))["ok"]
        assert self.gate.ask(op="bind", session="s", allow=["allowed.test", "older.test"])["ok"]
        self.space = Namespace(folder, self.path)

    def curl(self, *arguments: str) -> tuple[int, str]:
        done = self.space.run("curl", "-sS", "--max-time", "60", "--cacert", str(self.gate.ca), *arguments)
        return done.returncode, (done.stdout + done.stderr).decode()

    def close(self) -> None:
        self.space.close()
        self.gate.close()
        self.secure.close()
        self.plain.close()
        self.older.close()


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
def test_many_http2_streams_to_an_origin_that_speaks_only_http1_do_not_wait_for_each_other(house: House) -> None:
    urls = [word for n in range(20) for word in ("-o", "/dev/null", f"https://older.test/big?{2_000_000 + n}")]
    told = house.curl("--http2", "--parallel", "--parallel-max", "20", "-w", "%{http_version}-%{http_code} ", *urls)

    assert told == (0, "2-200 " * 20)


@needs_namespaces
@pytest.mark.promise("egress.refusal_explains")
def test_a_refused_host_reads_why(house: House) -> None:
    for url in ("https://denied.test/x", "http://denied.test/x"):
        assert "not on this session's list" in house.curl(url)[1]


CONNECT = """
import socket, sys
host, port = sys.argv[1], int(sys.argv[2])
try:
    sock = socket.create_connection((host, port), 60)
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
sock = socket.create_connection(("127.0.0.1", 53), 60)
packet = {QUESTION!r}
sock.sendall(struct.pack("!H", len(packet)) + packet)
print(socket.inet_ntoa(sock.recv(600)[-4:]))
"""
    assert house.space.python(code).startswith("127.64.")


WHOLE = """
import random, socket, struct, sys, time
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asking.connect(("127.0.0.1", 53))
asking.settimeout(60)
labels = b"".join(bytes([len(part)]) + part for part in sys.argv[1].encode().split(b".")) + b"\\0"
heads = [struct.pack("!HHHHHH", 7, flags, count, 0, 0, 0) for flags in (0x100, 0x2900) for count in (0, 1, 2)]
for head in heads:
    for kind in (1, 2, 5, 6, 12, 15, 16, 28, 33, 64, 65, 251, 252, 255, 257):
        asking.send(head + labels + struct.pack("!HH", kind, 1))
        assert asking.recv(600)[:2] == b"\\0\\7"
print("answered")
"""


@needs_namespaces
@pytest.mark.promise("egress.refusal_explains")
@pytest.mark.parametrize("name", ["denied.test", "_sip._tcp.denied.test", "1.0.64.127.in-addr.arpa", "x" * 63 + ".a b"])
def test_every_question_is_answered_at_once(house: House, name: str) -> None:
    assert house.space.python(WHOLE, name) == "answered"


@needs_namespaces
@pytest.mark.promise("egress.refusal_explains")
def test_programs_of_the_system_are_told_an_address_or_that_there_is_none(house: House) -> None:
    def getent(*argv: str) -> bytes:
        return house.space.run("getent", *argv).stdout

    assert getent("ahosts", "denied.test").startswith(b"127.64.")
    for argv in (("ahostsv6", "denied.test"), ("hosts", "-denied.test"), ("hosts", "127.99.0.1")):
        assert getent(*argv) == b""


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
    house.space.python(code)

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
    sock = socket.create_connection(("allowed.test", 80), 60)
    sock.sendall(b"GET /n HTTP/1.1\\r\\nHost: allowed.test\\r\\nConnection: close\\r\\n\\r\\n")
    answers.append(sock.recv(5))
answers = []
threads = [threading.Thread(target=fetch) for _ in range(300)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len([answer for answer in answers if answer == b"HTTP/"]))
"""
    assert int(house.space.python(code)) >= 128


@needs_namespaces
def test_a_connection_is_held_until_the_gate_listens(house: House, tmp_path: Path) -> None:
    path = tmp_path / "late.sock"
    space = Namespace(house.space._folder, path)
    with socket.socket(socket.AF_UNIX) as late, ThreadPoolExecutor(1) as beside:
        told = beside.submit(space.python, CONNECT, "allowed.test", "80")
        until(lambda: space.connections() > 0)
        late.bind(str(path))
        late.listen()
        gate, _ = late.accept()
        with gate:
            heard = gate.recv(1000)
            gate.sendall(b"HTTP/1.1 200 OK\r\n\r\nafter all")

            assert told.result(PATIENCE_S) == "b'after all'"
    assert heard.startswith(b"CONNECT allowed.test:80 ")
    space.close()


@needs_namespaces
@pytest.mark.parametrize("agent", ["mute", "hung up"])
def test_an_agent_that_does_not_say_whose_a_connection_is_holds_it_up_for_a_moment(house: House, agent: str) -> None:
    space = Namespace(house.space._folder, house.path, agent=agent)
    fetch = "import urllib.request as u; print(u.urlopen('http://allowed.test/x').read().decode())"

    for _ in range(2):
        assert space.python(fetch).startswith("hello /x")
    space.close()


@needs_namespaces
def test_a_gate_that_never_comes_costs_no_cpu_and_ends_in_a_reset(house: House, tmp_path: Path) -> None:
    space = Namespace(house.space._folder, tmp_path / "nobody.sock")
    before = space.cpu_s()

    assert space.python(CONNECT, "allowed.test", "80") == "ConnectionResetError"
    assert space.cpu_s() - before < 0.5
    space.close()
