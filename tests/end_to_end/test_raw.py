"""A protocol that is not HTTP, from a program that knows of no proxy: to the one host and port of a tcp:// entry."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.rig import Home, connected, structured
from tests.speaker import GREETING, speaking
from tests.waiting import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.promise("egress.only_gate")]

PROGRAM = """
import socket
def said(host, port, wait_s):
    try:
        with socket.create_connection((host, port), wait_s) as sock:
            first = sock.recv(100)
            sock.sendall(b"hello")
            return first + sock.recv(100)
    except OSError as error:
        return type(error).__name__
print(said("db.example", PORT, 60), said("other.example", PORT, 5), said("db.example", PORT + 1, 60), sep="\\n")
"""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with speaking() as made:
        yield made


async def test_it_reaches_its_own_host_and_nothing_else(folder: Path, port: int) -> None:
    home = Home(
        folder,
        settings=f'environment = "base"\n[egress]\nallow = ["tcp://db.example:{port}"]\nresolve = {{"db.example" = "127.0.0.1"}}\n'
        'networks = ["127.0.0.1/32"]\n',
    )
    async with connected(home) as client:
        program = PROGRAM.replace("PORT", str(port))
        result = structured(await client.call_tool("exec", {"argv": ["python3", "-c", program]}))
        flows = await eventually(lambda: home.audit("egress.flow"))

    own, *others = str(result["stdout"]).splitlines()
    assert own == str(GREETING + b"HELLO")
    assert others == [
        "TimeoutError",
        "ConnectionRefusedError",
    ]  # a no is said in HTTP, once asked; nobody listens there
    assert (flows[0]["scheme"], flows[0]["uninterpreted"], flows[0]["bytes_down"]) == (
        "tcp",
        True,
        len(GREETING + b"HELLO"),
    )
