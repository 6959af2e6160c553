"""An agent that was taken over: a program that says what it likes on the real line of a real server's real sandbox.

The test stops a sandbox's agent and takes its end of the line; from then on it is the agent. A neighbour's session is asked
meanwhile, and has to be answered as if nothing were; the server must neither grow nor end.
"""

import ctypes
import itertools
import json
import os
import signal
import socket
import stat
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from mcp import Client

from server.sandbox.agent_link import FILE, FILE_HEAD, HEAD, JOB, JOB_HEAD, JSON, MAX_BODY
from tests.end_to_end.rig import Home, called, structured, text_of
from tests.server.sandbox.test_agent_link import ENDED, USAGE, frame, said
from tests.waiting import PATIENCE_S, eventually, until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.promise("session.alone"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can take an agent's place"),
]

PIDFD_GETFD = 438
PEER = struct.Struct("3i")
MOST_GROWTH_KB = 60 << 10
FLOOD = 64 << 20
NUMBERS = itertools.count()
TAKEN: dict[str, int] = {}  # agents, by session


@pytest.fixture(scope="module")
def home(folder: Path) -> Home:
    return Home(folder, 'environment = "base"\n[policy]\nprofile = "open"\n')


def memory_kb(pid: int) -> int:
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0])


def line_of(pid: int, server: int) -> socket.socket:
    """That process's end of its line to that server, as a socket of ours."""
    handle = os.pidfd_open(pid)
    take = ctypes.CDLL(None, use_errno=True).syscall
    ours = [take(PIDFD_GETFD, handle, int(one.name), 0) for one in Path(f"/proc/{pid}/fd").iterdir()]
    os.close(handle)
    found = [number for number in ours if leads_to(number, server)]
    for number in set(ours) - set(found):
        with suppress(OSError):
            os.close(number)
    (one,) = found
    line = socket.socket(fileno=one)
    line.setblocking(True)
    return line


def leads_to(number: int, server: int) -> bool:
    if number < 0 or not stat.S_ISSOCK(os.fstat(number).st_mode):
        return False
    with socket.socket(fileno=os.dup(number)) as sock:
        told = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size)
        return sock.type == socket.SOCK_STREAM and PEER.unpack(told)[0] == server


class Lies:
    """What the taken agent says, by name; each ends when it is said or nobody listens any more."""

    def __init__(self, line: socket.socket) -> None:
        self.line = line
        line.settimeout(20)

    def noise(self) -> None:
        self.line.sendall(bytes(range(256)) * 64)

    def a_length_beyond_every_bound(self) -> None:
        self.line.sendall(HEAD.pack(0xFFFFFFFF, JSON) + b"x" * 1000)

    def a_frame_that_never_ends(self) -> None:
        self.line.sendall(HEAD.pack(MAX_BODY, JSON) + b"[" * (MAX_BODY - 1))

    def nesting(self) -> None:
        self.line.sendall(frame(JSON, b"[" * 500_000))

    def output_of_jobs_that_are_none(self) -> None:
        piece = b"".join(frame(JOB, JOB_HEAD.pack(number, 1) + bytes(60_000)) for number in range(900, 916))
        for _ in range(FLOOD // len(piece)):
            self.line.sendall(piece)

    def bytes_of_requests_that_are_none(self) -> None:
        piece = b"".join(frame(FILE, FILE_HEAD.pack(number) + bytes(60_000)) for number in range(900, 916))
        for _ in range(FLOOD // len(piece)):
            self.line.sendall(piece)

    def ends_of_jobs_of_others_and_twice_of_its_own(self) -> None:
        about = ENDED | USAGE | {"left": 1}
        for number in [*range(2_000), 1, 1]:
            self.line.sendall(said(about | {"job": number}) + said({"ev": "gone", "job": number}))

    def greetings(self) -> None:
        for _ in range(10):
            self.line.sendall(said({"ev": "hello", "key": "\ud800", "landlock": "x", "more": [[]] * 100_000}))

    def numbers_that_are_none(self) -> None:
        for number in ("1e999", "NaN", "9" * 4000, "-1", '"1"', "true", "[]"):
            beat = f'{{"ev": "beat", "disk_room": {number}, "files_room": {number}}}'
            with suppress(OSError):
                self.line.sendall(frame(JSON, beat.encode()))

    def no_room_on_any_disk(self) -> None:
        for _ in range(200):
            self.line.sendall(said({"ev": "beat", "disk_room": 0, "files_room": 0}))


LIES = [name for name in vars(Lies) if not name.startswith("_")]


@pytest.fixture(scope="module")
async def neighbour(client: Client) -> Client:
    await called(client, "exec", argv=["true"], session="neighbour")
    return client


async def goes_on(client: Client) -> None:
    with anyio.fail_after(PATIENCE_S):
        told = structured(await called(client, "exec", argv=["echo", "here"], session="neighbour"))
    assert (told["status"], told["stdout"]) == ("exited", "here\n")


async def taken(client: Client, home: Home, session: str) -> socket.socket:
    """The line of a new session, in which a command runs; its agent is stopped for good."""
    mark = f"600.{next(NUMBERS)}"
    await called(client, "exec", argv=["sleep", mark], background=True, session=session)
    agent = await anyio.to_thread.run_sync(agent_of, mark)
    TAKEN[session] = agent
    os.kill(agent, signal.SIGSTOP)
    return line_of(agent, home.pid_of("serve"))


def agent_of(mark: str) -> int:
    """The first process of the sandbox in which `sleep` got that argument."""

    def running() -> list[str]:
        return [one.parent.name for one in Path("/proc").glob("[0-9]*/cmdline") if read(one) == f"sleep\0{mark}\0"]

    pid = until(running)[0]
    while (status := dict(line.split(":", 1) for line in read(Path(f"/proc/{pid}/status")).splitlines()))[
        "NSpid"
    ].split()[-1] != "1":
        pid = status["PPid"].strip()
    return int(pid)


def read(path: Path) -> str:
    """Nothing where the process has gone; another's arguments may be any bytes."""
    with suppress(OSError):
        return path.read_text(errors="replace")
    return ""


@pytest.mark.parametrize("lie", LIES)
async def test_whatever_an_agent_says_its_neighbours_go_on(neighbour: Client, home: Home, lie: str) -> None:
    before = memory_kb(home.pid_of("serve"))
    with await taken(neighbour, home, lie) as line:

        def lying() -> None:
            with suppress(OSError):  # the server has hung up
                getattr(Lies(line), lie)()

        liar = threading.Thread(target=lying)
        liar.start()
        await goes_on(neighbour)
        await anyio.to_thread.run_sync(liar.join, PATIENCE_S)
        assert not liar.is_alive()
        await goes_on(neighbour)
    with anyio.fail_after(PATIENCE_S):
        await called(neighbour, "session_close", session=lie)

    assert memory_kb(home.pid_of("serve")) - before < MOST_GROWTH_KB


def answering(line: socket.socket, answer: Callable[[dict[str, object]], str]) -> None:
    """Answer whatever is asked."""
    heard = line.makefile("rb")
    with suppress(OSError):
        while head := heard.read(HEAD.size):
            length, kind = HEAD.unpack(head)
            body = heard.read(length)
            if kind == JSON and "id" in (asked := json.loads(body)):
                line.sendall(frame(JSON, answer(asked).encode()))


@pytest.mark.parametrize("number", ["1e999", "9" * 4000, "-1"])
async def test_a_false_answer_is_that_sessions_loss_and_said(neighbour: Client, home: Home, number: str) -> None:
    def lie(asked: dict[str, object]) -> str:
        known = '"ok": true, "real": "/workspace/x", "exists": true, "type": "file"'
        told = ", ".join(f'"{name}": {number}' for name in ("handle", "size", "dev", "ino", "total", "names"))
        return f'{{"ev": "answer", "id": {asked["id"]}, {known}, {told}}}'

    with await taken(neighbour, home, "false") as line:
        liar = threading.Thread(target=answering, args=(line, lie))
        liar.start()
        with anyio.fail_after(PATIENCE_S):
            told = await neighbour.call_tool("file_read", {"path": "/workspace/x", "session": "false"})
        await goes_on(neighbour)
        await called(neighbour, "session_close", session="false")
        line.shutdown(socket.SHUT_RDWR)
        await anyio.to_thread.run_sync(liar.join, 30)

    assert told.is_error
    assert "sandbox" in text_of(told)
    assert "internal" not in text_of(told).lower()


async def test_an_agent_that_takes_nothing_keeps_nobody_waiting_and_goes(neighbour: Client, home: Home) -> None:
    with await taken(neighbour, home, "deaf"):
        async with anyio.create_task_group() as tasks:
            much = {"argv": ["cat"], "stdin": "x" * 900_000, "session": "deaf", "background": True}
            tasks.start_soon(neighbour.call_tool, "exec", much)
            await goes_on(neighbour)
            await called(neighbour, "session_close", session="deaf")
            await goes_on(neighbour)
    await eventually(lambda: not Path(f"/proc/{TAKEN['deaf']}").exists(), "its sandbox is still there")
