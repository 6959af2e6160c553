import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from server.sandbox import egress_wire
from server.sandbox.egress_wire import EgressWire, GateDown, GateRefused
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.anyio


class FakeGate:
    """The other end of the control socket, played by the test."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(5)
        self.sock = sock
        self._file = sock.makefile("rb")

    async def hears(self) -> dict[str, Any]:
        line: bytes = await anyio.to_thread.run_sync(self._file.readline)
        heard: dict[str, Any] = json.loads(line)
        return heard

    def says(self, **message: Any) -> None:
        self.sock.sendall(json.dumps(message).encode() + b"\n")

    def close(self) -> None:
        self._file.close()
        self.sock.close()


@asynccontextmanager
async def wired(events: list[dict[str, Any]] | None = None) -> AsyncIterator[tuple[EgressWire, FakeGate]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    wire, gate = EgressWire(ours, (events if events is not None else []).append), FakeGate(theirs)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wire.write)
            tasks.start_soon(wire.read)
            yield wire, gate
            tasks.cancel_scope.cancel()
    finally:
        gate.close()
        ours.close()


async def answer(gate: FakeGate, **outcome: Any) -> None:
    gate.says(re=(await gate.hears())["id"], **outcome)


async def test_an_answer_finds_its_question() -> None:
    async with wired() as (wire, gate), anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: answer(gate, ok=True))
        await wire.ask({"op": "open"})


async def test_a_no_is_an_exception_with_its_sentence() -> None:
    async with wired() as (wire, gate), anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: answer(gate, ok=False, error="That cannot be."))
        with pytest.raises(GateRefused, match=r"That cannot be\."):
            await wire.ask({"op": "open"})


async def test_where_the_process_dies_the_question_does_not_hang() -> None:
    async with wired() as (wire, gate), anyio.create_task_group() as tasks:
        tasks.start_soon(dies, gate)
        with pytest.raises(GateDown):
            await wire.ask({"op": "open"})


async def dies(gate: FakeGate) -> None:
    await gate.hears()
    gate.sock.shutdown(socket.SHUT_RDWR)


async def test_a_process_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress_wire, "REPLY_S", 0.05)
    async with wired() as (wire, gate):
        with pytest.raises(GateDown):
            await wire.ask({"op": "open"})
        assert (await gate.hears())["op"] == "open"
        assert gate.sock.recv(10) == b""


async def test_events_arrive_in_order_however_they_are_cut() -> None:
    events: list[dict[str, Any]] = []
    async with wired(events) as (wire, gate):
        gate.sock.sendall(b"".join(b'{"event": "flow", "number": %d}\n' % number for number in range(100)))
        gate.sock.sendall(b'{"event": "author')
        gate.sock.sendall(b'ity", "ca_cert": "/ca.pem"}\n')
        with anyio.fail_after(PATIENCE_S):
            await wire.trusted.wait()
        assert not wire.ready.is_set()
        gate.says(event="ready")
        with anyio.fail_after(PATIENCE_S):
            await wire.ready.wait()

    assert [event["number"] for event in events] == list(range(100))
    assert str(wire.ca_cert) == "/ca.pem"


async def test_more_than_the_socket_takes_is_sent_in_turn() -> None:
    async with wired() as (wire, gate):
        for number in range(200):
            wire.tell({"op": "calls", "filler": "x" * 10_000, "number": number})
        with anyio.fail_after(PATIENCE_S):
            heard = [(await gate.hears())["number"] for _ in range(200)]

    assert heard == list(range(200))
