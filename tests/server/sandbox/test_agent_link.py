"""A lying agent can only harm its own session: whatever it says, the line ends and everyone who waits is told."""

import itertools
import json
import socket
import threading
import tracemalloc
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.sandbox import agent_link
from server.sandbox.agent_link import FILE, FILE_HEAD, HEAD, JOB, JOB_HEAD, JSON, MAX_BODY, AgentLink
from server.sandbox.sandbox import Exit, FileRefused, SandboxLost
from tests.waiting import PATIENCE_S, eventually

pytestmark = pytest.mark.anyio

ENDED = {
    "ev": "ended", "job": 1, "reason": "exited", "exit_code": 0, "signal": None, "left": 0,
    "oom": False, "no_pids": False, "disk_room": [1 << 30, 1 << 30],
}  # fmt: skip
USAGE = {"utime": 0.1, "stime": 0.1, "maxrss_kb": 1000, "duration_ms": 5.2}


class Heard:
    def __init__(self) -> None:
        self.data: list[tuple[int, bytes]] = []
        self.end: Exit | None = None
        self.gone = False

    def write(self, stream: int, data: bytes) -> None:
        self.data.append((stream, data))

    def ended(self, end: Exit) -> None:
        self.end = end

    def cleared(self) -> None:
        self.gone = True


def frame(kind: int, body: bytes) -> bytes:
    return HEAD.pack(len(body), kind) + body


def said(message: Any) -> bytes:
    return frame(JSON, json.dumps(message).encode())


async def after(sent: bytes, *, hangs_up: bool = True) -> tuple[Heard, AgentLink]:
    """A link with one running job, when it is over: the agent sent this."""
    ours, theirs = socket.socketpair()
    link, heard = AgentLink(ours), Heard()
    with theirs:
        await link.run({"argv": ["true"]}, heard)
        theirs.setblocking(False)
        theirs.recv(1 << 16)
        theirs.sendall(sent)
        if hangs_up:
            theirs.shutdown(socket.SHUT_WR)
        with anyio.fail_after(PATIENCE_S):
            await link.serve()
    return heard, link


async def test_output_and_end_reach_the_job() -> None:
    heard, _ = await after(frame(JOB, JOB_HEAD.pack(1, 2) + b"oops") + said(ENDED | USAGE | {"exit_code": 3}))

    assert heard.data == [(2, b"oops")]
    assert heard.end == Exit("exited", 3, None, 5, 0.2, 1000)


async def test_what_an_ended_command_left_behind_is_told_when_it_goes() -> None:
    heard, link = await after(said(ENDED | USAGE | {"left": 2}) + said({"ev": "gone", "job": 1}))

    assert heard.end is not None
    assert heard.end.left_behind == 2
    assert heard.gone
    assert not link.busy


@pytest.mark.promise("sandbox.survives")
async def test_of_a_greeting_only_what_is_asked_for_is_kept() -> None:
    greeting = {"ev": "hello", "key": "k" * 1000, "landlock": 7, "shell": "/bin/sh", "more": [[]] * 1000}

    assert (await after(said(greeting)))[1].hello == {"key": "k" * 100, "landlock": 7, "shell": "/bin/sh"}


async def test_room_on_the_disk_is_passed_on() -> None:
    ours, theirs = socket.socketpair()
    link, beats = AgentLink(ours), list[tuple[int, int]]()
    link.on_beat = lambda size, files: beats.append((size, files))
    with theirs:
        theirs.sendall(said({"ev": "beat", "disk_room": 5, "files_room": 7}))
        theirs.shutdown(socket.SHUT_WR)
        await link.serve()

    assert beats == [(5, 7)]


async def test_a_request_that_is_cancelled_half_way_leaves_the_line_whole() -> None:
    ours, theirs = socket.socketpair()
    link = AgentLink(ours)
    theirs.setblocking(False)
    with theirs:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(link.serve)
            tasks.start_soon(ask_for_much, link, asking := anyio.CancelScope())
            await anyio.wait_all_tasks_blocked()  # nobody reads, so it waits with the rest of its content
            asking.cancel()
            frames = await frames_until(theirs, b'"forget"')
            tasks.cancel_scope.cancel()

    assert frames[-1] == (JSON, b'{"op": "forget", "id": 1}')
    assert {kind for kind, _ in frames[:-1]} == {FILE}


async def ask_for_much(link: AgentLink, scope: anyio.CancelScope) -> None:
    with scope:
        await link.ask({"op": "file"}, b"x" * (8 << 20))


async def frames_until(sock: socket.socket, mark: bytes) -> list[tuple[int, bytes]]:
    """Every whole frame up to the one with the mark; fails where what comes is no sequence of frames."""
    data, found = bytearray(), list[tuple[int, bytes]]()
    with anyio.fail_after(PATIENCE_S):
        while not found or mark not in found[-1][1]:
            await anyio.wait_readable(sock)
            data += sock.recv(1 << 20)
            while len(data) >= HEAD.size and len(data) >= HEAD.size + HEAD.unpack_from(data)[0]:
                length, kind = HEAD.unpack_from(data)
                found.append((kind, bytes(data[HEAD.size : HEAD.size + length])))
                del data[: HEAD.size + length]
    return found


@pytest.mark.promise("sandbox.survives")
@pytest.mark.parametrize(
    "nonsense",
    [
        b"\xff" * 64,
        HEAD.pack(MAX_BODY + 1, JSON),
        frame(7, b""),
        frame(JSON, b"{"),
        frame(JSON, b"[" * 50_000),
        said({"ev": "nothing known"}),
        said(["not", "an", "object"]),
        said({"ev": "hello", "landlock": "7"}),
        said({"ev": "ended", "job": True}),
        said(ENDED | USAGE | {"duration_ms": -1}),
        said(ENDED | USAGE | {"duration_ms": float("1e300")}),
        said(ENDED | USAGE | {"exit_code": "0"}),
        said(ENDED | {"reason": "invented"} | USAGE),
        frame(JOB, JOB_HEAD.pack(1, 9) + b"x"),
        frame(JOB, b"\0"),
        frame(FILE, b""),
    ],
)
async def test_nonsense_ends_the_line_and_tells_whoever_waits(nonsense: bytes) -> None:
    heard, link = await after(nonsense, hangs_up=False)

    assert heard.end is not None
    assert heard.end.status == "killed"
    with pytest.raises(SandboxLost):
        await link.ask({"op": "ping"})


@pytest.mark.promise("sandbox.survives")
@given(st.binary(max_size=400))
def test_no_bytes_at_all_raise_in_the_reader(data: bytes) -> None:
    heard, _ = anyio.run(after, data)

    assert heard.end is not None


async def test_answers_for_nobody_are_passed_over() -> None:
    heard, _ = await after(
        said({"ev": "answer", "id": 99}) + frame(FILE, FILE_HEAD.pack(99) + b"x") + said(ENDED | USAGE)
    )

    assert heard.end is not None
    assert heard.end.status == "exited"


async def test_frames_of_several_commands_may_come_in_any_order_and_each_has_its_own() -> None:
    ours, theirs = socket.socketpair()
    link, first, second = AgentLink(ours), Heard(), Heard()
    with theirs:
        await link.run({"argv": ["one"]}, first)
        await link.run({"argv": ["two"]}, second)
        for number, stream, data in ((2, 1, b"b"), (1, 2, b"a"), (3, 1, b"nobody's"), (2, 2, b"bb"), (1, 1, b"aa")):
            theirs.sendall(frame(JOB, JOB_HEAD.pack(number, stream) + data))
        theirs.sendall(said(ENDED | USAGE | {"job": 2, "exit_code": 2}) + said(ENDED | USAGE | {"exit_code": 1}))
        theirs.shutdown(socket.SHUT_WR)
        await link.serve()

    assert (first.data, second.data) == ([(2, b"a"), (1, b"aa")], [(1, b"b"), (2, b"bb")])
    assert first.end is not None
    assert second.end is not None
    assert (first.end.exit_code, second.end.exit_code) == (1, 2)


@pytest.mark.promise("sandbox.survives")
async def test_what_is_said_again_or_too_early_changes_nothing() -> None:
    """Ends, answers and output of commands that are over, or were not begun: the same frames once more."""
    ours, theirs = socket.socketpair()
    link, first, second = AgentLink(ours), Heard(), Heard()
    end = said(ENDED | USAGE | {"exit_code": 5, "left": 1})
    early = said(ENDED | USAGE | {"job": 2, "exit_code": 9}) + frame(JOB, JOB_HEAD.pack(2, 1) + b"early")
    with theirs:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(link.serve)
            await link.run({"argv": ["one"]}, first)
            theirs.sendall(early + end + frame(JOB, JOB_HEAD.pack(1, 1) + b"late") + end * 3)
            theirs.sendall(said({"ev": "gone", "job": 1}) * 3 + said(ENDED | USAGE | {"exit_code": 6}))
            await eventually(lambda: first.gone)
            await link.run({"argv": ["two"]}, second)
            theirs.sendall(end + said({"ev": "answer", "id": 1, "ok": True}) * 2)
            theirs.sendall(said(ENDED | USAGE | {"job": 2, "exit_code": 7}))
            await eventually(lambda: second.end is not None)
            tasks.cancel_scope.cancel()

    assert first.end is not None
    assert second.end is not None
    assert (first.end.exit_code, second.end.exit_code) == (5, 7)
    assert first.data == second.data == []


@pytest.mark.promise("sandbox.survives")
async def test_an_agent_that_floods_its_line_costs_no_other_its_answers_and_the_server_no_memory() -> None:
    lying, honest = socket.socketpair(), socket.socketpair()
    flood = b"".join(
        [said({"ev": "answer", "id": 77, "ok": True}), said({"ev": "hello"}), frame(FILE, FILE_HEAD.pack(77) + b"x" * 900_000)]
    )  # fmt: skip
    links = [AgentLink(lying[0]), AgentLink(honest[0])]

    def pour() -> None:
        with suppress(OSError):
            while True:
                lying[1].sendall(flood)

    def answer() -> None:
        with suppress(OSError):
            while asked := honest[1].recv(1 << 16):
                number = json.loads(asked[HEAD.size :])["id"]
                honest[1].sendall(said({"ev": "answer", "id": number, "ok": True}))

    tracemalloc.start()
    try:
        async with anyio.create_task_group() as tasks:
            for link in links:
                tasks.start_soon(link.serve)
            for work in (pour, answer):
                threading.Thread(target=work, daemon=True).start()
            with anyio.fail_after(PATIENCE_S):
                for _ in range(50):
                    await links[1].ask({"op": "ping"})
            tasks.cancel_scope.cancel()
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        for sock in (*lying, *honest):
            sock.close()

    assert most < 16 * MAX_BODY


async def test_a_refusal_carries_the_agents_reason() -> None:
    ours, theirs = socket.socketpair()
    link = AgentLink(ours)
    with theirs:
        theirs.sendall(said({"ev": "answer", "id": 1, "ok": False, "error": "Permission denied", "errno": 13}))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(link.serve)
            with pytest.raises(FileRefused, match="Permission denied") as refused:
                await link.ask({"op": "file"})
            tasks.cancel_scope.cancel()

    assert refused.value.number == 13


async def test_a_paused_agent_is_waited_for_and_one_that_says_nothing_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_link, "ANSWER_PATIENCE_S", 0.05)
    monkeypatch.setattr(agent_link, "PING_EVERY_S", 0.01)
    ours, theirs = socket.socketpair()
    link = AgentLink(ours)
    link.frozen = True
    with theirs:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(link.serve)
            with anyio.move_on_after(0.3) as waited:
                await link.ask({"op": "file"})
            link.frozen = False
            with pytest.raises(SandboxLost, match="did not answer"):
                await link.ask({"op": "file"})
            tasks.cancel_scope.cancel()

    assert waited.cancelled_caught, "it was given up although it was paused"


async def test_what_a_paused_agent_does_not_take_yet_is_kept_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that goes on while it is paused and then stands still."""
    monkeypatch.setattr(agent_link, "PING_EVERY_S", 0.01)
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    link, size = AgentLink(ours), 900_000
    link.frozen = True
    clock = itertools.count(step=agent_link.ANSWER_PATIENCE_S)
    monkeypatch.setattr(agent_link, "time", SimpleNamespace(monotonic=lambda: next(clock) if link.frozen else 0))
    taken = bytearray()

    async def take_it_later() -> None:
        await anyio.sleep(0.2)
        link.frozen = False
        while len(taken) < size:
            await anyio.wait_readable(theirs)
            taken.extend(theirs.recv(1 << 16))

    with ours, theirs:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(take_it_later)
            await link.say({"op": "x", "text": "y" * size})

    assert not link.lost


# --- signs of life -----------------------------------------------------------------------------------------------------


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_link, "PING_EVERY_S", 0.02)
    monkeypatch.setattr(agent_link, "SILENCE_S", 0.3)
    monkeypatch.setattr(agent_link, "OVERSLEPT_S", 0.1)  # a machine that stands still for a while is no silent agent


@pytest.mark.usefixtures("hasty")
async def test_an_agent_that_falls_silent_while_something_runs_is_given_up_and_told_so() -> None:
    ours, theirs = socket.socketpair()
    link, heard = AgentLink(ours), Heard()
    with theirs:
        await link.run({"argv": ["sleep"]}, heard)
        with anyio.fail_after(PATIENCE_S):
            await link.serve()

    assert heard.end is not None
    assert (heard.end.status, heard.end.exit_code) == ("killed", None)
    assert "did not answer" in heard.end.detail


@pytest.mark.usefixtures("hasty")
async def test_a_quiet_command_is_not_a_dead_one_as_long_as_its_agent_beats() -> None:
    ours, theirs = socket.socketpair()
    link, heard = AgentLink(ours), Heard()
    theirs.setblocking(False)
    with theirs:
        await link.run({"argv": ["sleep"]}, heard)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(link.serve)
            for _ in range(30):
                theirs.sendall(said({"ev": "beat", "disk_room": 1, "files_room": 1}))
                await anyio.sleep(0.02)
            assert not link.lost
            assert b'"op": "ping"' in theirs.recv(1 << 16)
            tasks.cancel_scope.cancel()


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("frozen", [True, False])
async def test_where_nothing_runs_or_it_is_paused_silence_says_nothing(frozen: bool) -> None:  # noqa: FBT001  # a parameter of the test
    ours, theirs = socket.socketpair()
    link = AgentLink(ours)
    link.frozen = frozen
    with theirs:
        if frozen:
            await link.run({"argv": ["sleep"]}, Heard())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(link.serve)
            await anyio.sleep(0.6)
            assert not link.lost
            tasks.cancel_scope.cancel()


async def test_the_engine_is_asked_why_a_line_ended_only_where_commands_ended_with_it() -> None:
    async def for_memory() -> Exit | None:
        return Exit("out_of_memory")

    ours, theirs = socket.socketpair()
    link, heard = AgentLink(ours), Heard()
    link.why_lost = for_memory
    await link.run({"argv": ["true"]}, heard)
    theirs.close()
    await link.serve()

    assert heard.end == Exit("out_of_memory")
