from collections.abc import Mapping
from typing import Any

import anyio
import pytest
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCNotification, JSONRPCResponse

from server.front.backlog import MOST_SIZE, MOST_WAITING, Backlog
from tests.waiting import PATIENCE_S

pytestmark = [pytest.mark.anyio, pytest.mark.promise("limits.fair")]


class Shut:
    """A client's end that takes one message for each turn that it is given."""

    def __init__(self) -> None:
        self.turns, self.taken, self.closed = anyio.Semaphore(0), list[Any](), False

    async def send(self, item: Any, /) -> None:
        await self.turns.acquire()
        self.taken.append(item)

    async def aclose(self) -> None:
        self.closed = True


def answer(**result: Any) -> SessionMessage:
    return SessionMessage(JSONRPCResponse(jsonrpc="2.0", id=1, result=result))


async def has_room(backlog: Backlog) -> bool:
    with anyio.move_on_after(0):
        await backlog.room()
        return True
    return False


@pytest.mark.parametrize(
    ("count", "result"),
    [(MOST_WAITING, {}), (2, {"content": [{"type": "text", "text": "x" * (MOST_SIZE // 2)}]})],
)
async def test_there_is_no_room_while_too_much_waits_and_there_is_when_it_is_read(
    count: int, result: Mapping[str, Any]
) -> None:
    backlog = Backlog(client := Shut())
    async with anyio.create_task_group() as tasks:
        for number in range(count):
            assert await has_room(backlog), number
            tasks.start_soon(backlog.send, answer(**result))
            await anyio.wait_all_tasks_blocked()
        assert not await has_room(backlog)
        client.turns.release()
        with anyio.fail_after(PATIENCE_S):
            await backlog.room()
        for _ in range(count):
            client.turns.release()
    assert len(client.taken) == count


async def test_what_is_given_up_waits_no_more_and_the_stream_is_closed_with_it() -> None:
    backlog = Backlog(client := Shut())
    async with backlog, anyio.create_task_group() as tasks:
        note = SessionMessage(JSONRPCNotification(jsonrpc="2.0", method="x", params={"text": "x" * MOST_SIZE}))
        tasks.start_soon(backlog.send, note)
        await anyio.wait_all_tasks_blocked()
        assert not await has_room(backlog)
        tasks.cancel_scope.cancel()
    assert await has_room(backlog)
    assert client.closed
