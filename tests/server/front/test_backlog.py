import json
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
    """A client's end that takes one line for each turn that it is given."""

    def __init__(self) -> None:
        self.turns, self.taken = anyio.Semaphore(0), list[str]()

    async def write(self, text: str) -> None:
        await self.turns.acquire()
        self.taken.append(text)


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
    assert [json.loads(line)["result"] for line in client.taken] == [result] * count


async def test_what_is_given_up_waits_no_more() -> None:
    async with Backlog(Shut()) as backlog, anyio.create_task_group() as tasks:
        note = SessionMessage(JSONRPCNotification(jsonrpc="2.0", method="x", params={"text": "x" * MOST_SIZE}))
        tasks.start_soon(backlog.send, note)
        await anyio.wait_all_tasks_blocked()
        assert not await has_room(backlog)
        tasks.cancel_scope.cancel()
    assert await has_room(backlog)


async def test_lines_of_several_tasks_come_whole() -> None:
    class Slow:
        text = ""

        async def write(self, text: str) -> None:
            for part in (text[: len(text) // 2], text[len(text) // 2 :]):
                self.text += part
                await anyio.lowlevel.checkpoint()

    backlog = Backlog(client := Slow())
    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(backlog.write, f"{number}-{number}")

    assert sorted(client.text.split()) == sorted(f"{number}-{number}" for number in range(50))


async def test_who_has_left_ends_the_serving_and_is_passed_over_by_a_call() -> None:
    class Gone:
        async def write(self, text: str) -> None:
            raise BrokenPipeError(32, text)

    backlog = Backlog(Gone())
    with pytest.raises(anyio.BrokenResourceError):
        await backlog.send(answer())
    with pytest.raises(BrokenPipeError):
        await backlog.watch()
