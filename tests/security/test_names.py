"""The resolver of a real sandbox under what a command can send it: it forgets, it answers, it does not grow."""

from pathlib import Path

import anyio
import pytest

from server.sandbox.docker_sandbox import DockerSandbox
from tests.live import run
from tests.real_engine import client

pytestmark = [pytest.mark.anyio, pytest.mark.promise("sandbox.survives")]

MOST_GROWTH_KB = 5 << 10
NAMES = r"""
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.connect(("127.0.0.1", 53))
answered = 0
for n in range(int(sys.argv[1])):
    sock.send(b"\0\7\1\0\0\1\0\0\0\0\0\0\x08n%07d\4test\0\0\1\0\1" % n)
    if n % 50 == 49:
        for _ in range(50): answered += len(sock.recv(600)) > 12
print(answered)
"""
NONSENSE = r"""
import random, socket
random.seed(7)
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.connect(("127.0.0.1", 53))
head = b"\0\7\1\0\0\1\0\0\0\0\0\0"
loops = [b"\xc0\x0c", b"\xc0\xff", b"\x3f" + b"a" * 63, b"\x40a", b"\1a" * 200, b"\0\0\1"]
for n in range(5_000):
    body = random.choice([random.randbytes(random.randrange(600)), head + random.choice(loops) * random.randrange(1, 30)])
    sock.send(body)
for n in range(200):
    stream = socket.create_connection(("127.0.0.1", 53), 60)
    stream.send(random.choice([b"\xff\xff", b"\0\0", b"\0\5abc", random.randbytes(300)]))
    stream.close()
print(socket.gethostbyname("after.test"))
"""


def relay_kb(box: DockerSandbox) -> int:
    """Memory of the process that answers for names, as the host sees it."""
    with client() as api:
        lines = api.top(f"sandgate-{box.id}", ps_args="-eo pid,uid")["Processes"]
    (pid,) = [pid for pid, uid in lines if uid == "1001"]
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


async def asked(box: DockerSandbox, *program: str) -> tuple[str, int]:
    """What it says, and by how much the resolver grew meanwhile."""
    warm = await run(box, "python3", "-c", NAMES, "5000", timeout_s=90)  # as many as are kept
    assert warm.text == "5000\n"
    before = await anyio.to_thread.run_sync(relay_kb, box)
    said = await run(box, "python3", "-c", *program, timeout_s=400)
    return said.text, await anyio.to_thread.run_sync(relay_kb, box) - before


@pytest.mark.parametrize("count", [20_000, pytest.param(1_000_000, marks=[pytest.mark.soak, pytest.mark.timeout(500)])])
async def test_names_without_end_are_answered_and_forgotten(box: DockerSandbox, count: int) -> None:
    said, grown = await asked(box, NAMES, str(count))

    assert said == f"{count}\n"
    assert grown <= MOST_GROWTH_KB


async def test_packets_that_make_no_sense_leave_it_as_it_was(box: DockerSandbox) -> None:
    said, grown = await asked(box, NONSENSE)

    assert said.startswith("127."), said
    assert grown <= MOST_GROWTH_KB
