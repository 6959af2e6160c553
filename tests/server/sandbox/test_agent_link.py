"""A lying agent can only harm its own session: whatever it says, the line ends and everyone who waits is told."""

import json
import socket
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.sandbox.agent_link import FILE, FILE_HEAD, HEAD, JOB, JOB_HEAD, JSON, MAX_BODY, AgentLink
from server.sandbox.sandbox import Exit, FileRefused, SandboxLost

pytestmark = pytest.mark.anyio

ENDED = {"ev": "ended", "job": 1, "reason": "exited", "exit_code": 0, "signal": None, "oom": False, "left": 0}
USAGE = {"utime": 0.1, "stime": 0.1, "maxrss_kb": 1000, "duration_ms": 5.2}


class Heard:
    def __init__(self) -> None:
        self.data: list[tuple[int, bytes]] = []
        self.end: Exit | None = None

    def write(self, stream: int, data: bytes) -> None:
        self.data.append((stream, data))

    def ended(self, end: Exit) -> None:
        self.end = end


def frame(kind: int, body: bytes) -> bytes:
    return HEAD.pack(len(body), kind) + body


def said(message: Any) -> bytes:
    return frame(JSON, json.dumps(message).encode())


async def after(sent: bytes) -> tuple[Heard, AgentLink]:
    """A link with one running job, after the agent sent this and hung up."""
    ours, theirs = socket.socketpair()
    link, heard = AgentLink(ours), Heard()
    with theirs:
        await link.run({"argv": ["true"]}, heard)
        theirs.setblocking(False)
        theirs.recv(1 << 16)
        theirs.sendall(sent)
        theirs.shutdown(socket.SHUT_WR)
        with anyio.fail_after(5):
            await link.serve()
    return heard, link


async def test_output_and_end_reach_the_job() -> None:
    heard, _ = await after(frame(JOB, JOB_HEAD.pack(1, 2) + b"oops") + said(ENDED | USAGE | {"exit_code": 3}))

    assert heard.data == [(2, b"oops")]
    assert heard.end == Exit("exited", 3, None, 5, 0.2, 1000)


@pytest.mark.promise("result.truthful")
@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({"exit_code": None, "signal": 9, "oom": True}, "out_of_memory"),
        ({"exit_code": 137, "oom": True}, "out_of_memory"),
        ({"exit_code": None, "signal": 9}, "killed"),
        ({"exit_code": None, "signal": 15, "reason": "timed_out"}, "timed_out"),
        ({"exit_code": None, "signal": 9, "reason": "cancelled"}, "cancelled"),
        ({"exit_code": 1, "oom": True}, "exited"),
    ],
)
async def test_each_end_is_told_as_it_was(told: dict[str, Any], status: str) -> None:
    heard, _ = await after(said(ENDED | USAGE | told))

    assert heard.end is not None
    assert heard.end.status == status
    assert (heard.end.exit_code is None) == (status != "exited")


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
    heard, link = await after(nonsense)

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
