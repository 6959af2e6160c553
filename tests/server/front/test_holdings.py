"""One caller's share: so many open requests, so many sessions of the older protocol, and nothing of another's."""

from collections.abc import MutableMapping
from typing import Any

import anyio
import pytest

from server.front.holdings import IDLE_S, MODERN, Holdings

pytestmark = [pytest.mark.anyio, pytest.mark.promise("limits.fair")]


async def nothing() -> MutableMapping[str, Any]:
    raise AssertionError("nobody reads")


class House:
    """Answers as the SDK does: an opening request gets a session, a known one is used or ended."""

    def __init__(self, most_open: int = 3, most_sessions: int = 2) -> None:
        self.now, self.made, self.known = 0.0, 0, set[str]()
        self.stays = anyio.Event()
        self.holdings = Holdings(self.app, most_open=most_open, most_sessions=most_sessions, clock=lambda: self.now)

    async def app(self, scope: MutableMapping[str, Any], _: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        told, status = headers.get(b"mcp-session-id", b"").decode(), 200
        if scope["method"] == "GET":
            await self.stays.wait()
        elif not told and headers.get(b"mcp-protocol-version", b"").decode() < MODERN:
            self.made += 1
            told = f"m-{self.made}"
            self.known.add(told)
        elif scope["method"] == "DELETE":
            self.known.discard(told)
        elif told and told not in self.known:
            status = 404
        await send({"type": "http.response.start", "status": status, "headers": [(b"mcp-session-id", told.encode())]})

    async def ask(self, token: str = "ann", method: str = "POST", session: str = "", version: str = "") -> int:
        said = list[int]()

        async def send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                said.append(message["status"])

        more = [(b"mcp-session-id", session.encode())] if session else []
        more += [(b"mcp-protocol-version", version.encode())] if version else []
        headers = [(b"authorization", f"Bearer {token}".encode()), *more]
        await self.holdings({"type": "http", "method": method, "path": "/mcp", "headers": headers}, nothing, send)
        return said[0]


async def test_a_caller_opens_so_many_sessions_and_another_still_gets_one() -> None:
    house = House()

    assert [await house.ask() for _ in range(3)] == [200, 200, 429]
    assert await house.ask("bob") == 200
    assert await house.ask(version=MODERN) == 200
    assert await house.ask(session="m-1") == 200


@pytest.mark.parametrize("how", ["ended", "forgotten", "idle"])
async def test_a_session_that_is_gone_makes_room(how: str) -> None:
    house = House()
    for _ in range(2):
        await house.ask()
    match how:
        case "ended":
            await house.ask(method="DELETE", session="m-1")
        case "forgotten":
            house.known.clear()
            assert await house.ask(session="m-2") == 404
        case _:
            house.now = IDLE_S + 1

    assert await house.ask() == 200


async def test_what_is_used_is_not_forgotten_for_its_age() -> None:
    house = House()
    await house.ask()
    await house.ask()
    house.now = IDLE_S - 1
    await house.ask(session="m-1")
    house.now = IDLE_S + 1

    assert [await house.ask(), await house.ask()] == [200, 429]


async def test_open_requests_of_one_caller_leave_room_for_others() -> None:
    house = House()
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(house.ask, "ann", "GET")
        await anyio.wait_all_tasks_blocked()

        assert await house.ask("ann") == 429
        assert await house.ask("bob") == 200
        house.stays.set()
    assert await house.ask("ann") == 200
