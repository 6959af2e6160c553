import importlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.images.world import AGENT

sys.path.insert(0, str(AGENT))  # the agent is a folder on PID 1's path, not a package
whose: Any = importlib.import_module("whose")
kernel: Any = importlib.import_module("kernel")

DIAL = """
import socket, sys
sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))
sys.stdin.read()
"""


@dataclass
class Command:
    mark: str
    root: int


@pytest.fixture(autouse=True)
def of_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which has more processes than a sandbox, and a longer list of sockets: what else runs on it opens thousands."""
    monkeypatch.setattr(whose, "LOOK_S", 5.0)
    monkeypatch.setattr(whose, "MOST_TABLE", 1 << 26)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@pytest.fixture
def program(listener: socket.socket) -> Iterator[subprocess.Popen[bytes]]:
    """It has opened a connection, below a shell of its own, and goes on."""
    where = [*map(str, listener.getsockname())]
    inside = ["sh", "-c", '"$@"; true', "-", sys.executable, "-c", DIAL, *where]
    with subprocess.Popen(inside, stdin=subprocess.PIPE) as made:
        yield made


def ends(accepted: socket.socket) -> tuple[tuple[bytes, int], tuple[bytes, int]]:
    (program, port), (ours, our_port) = accepted.getpeername(), accepted.getsockname()
    return (socket.inet_aton(program), port), (socket.inet_aton(ours), our_port)


def asked(accepted: socket.socket) -> bytes:
    (program, port), (ours, our_port) = ends(accepted)
    return bytes(whose.QUESTION.pack(7, program, port, ours, our_port))


def asking(*commands: Command) -> Any:
    return whose.Whose(kernel.AsUser(os.getuid(), os.getgid()), lambda: commands)


def test_the_kernel_names_the_socket_of_a_connection(listener: socket.socket) -> None:
    with socket.create_connection(listener.getsockname()) as sock, listener.accept()[0] as accepted:
        assert int(whose.socket_of(*ends(accepted))) == os.fstat(sock.fileno()).st_ino


def test_also_where_the_program_has_an_ipv6_socket(listener: socket.socket) -> None:
    with socket.socket(socket.AF_INET6) as sock:
        sock.connect(("::ffff:127.0.0.1", listener.getsockname()[1]))
        with listener.accept()[0] as accepted:
            assert int(whose.socket_of(*ends(accepted))) == os.fstat(sock.fileno()).st_ino


def test_the_command_above_the_process_is_named(listener: socket.socket, program: subprocess.Popen[bytes]) -> None:
    with listener.accept()[0] as accepted:
        mine, other = Command("d-1", program.pid), Command("d-2", 1 << 30)

        assert asking(mine, other)(asked(accepted)) == b"\0\0\0\7d-1"
        assert asking(other, Command("d-3", 1 << 29))(asked(accepted)) == b"\0\0\0\7"


def test_nobody_looks_where_one_command_runs(listener: socket.socket, program: subprocess.Popen[bytes]) -> None:
    with listener.accept()[0] as accepted:
        assert asking(Command("d-1", program.pid))(asked(accepted)) == b"\0\0\0\7"


def test_a_share_that_is_spent_costs_the_name_and_nothing_else(
    listener: socket.socket, program: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whose, "BURST_S", 0.0)
    with listener.accept()[0] as accepted:
        spent = asking(Command("d-1", program.pid), Command("d-2", 1 << 30))

        assert spent(asked(accepted)) == b"\0\0\0\7"


def test_a_connection_that_is_gone_is_nobodys(listener: socket.socket) -> None:
    with socket.create_connection(listener.getsockname()) as sock, listener.accept()[0] as accepted:
        question = asked(accepted)
        sock.close()

    assert asking(Command("d-1", 1), Command("d-2", 2))(question) == b"\0\0\0\7"
