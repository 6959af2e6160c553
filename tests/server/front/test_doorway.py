"""Before anything else: the host's name, the page, and how often an address came without a good token."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from server.front.doorway import MOST_FAILURES, WINDOW_S, Doorway
from tests.clock import Clock

pytestmark = [pytest.mark.anyio, pytest.mark.promise("caller.known")]


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    good = dict(scope["headers"]).get(b"authorization") == b"Bearer good"
    await PlainTextResponse("in" if good else "no", 200 if good else 401)(scope, receive, send)


class Visitors:
    def __init__(self) -> None:
        self.clock, self.lines = Clock(), list[Mapping[str, Any]]()
        self.door = Doorway(
            app, hosts=("gate.example",), origins=("https://page.example",), refused=self.lines.append, clock=self.clock
        )

    async def get(self, address: str = "10.0.0.1", host: str = "gate.example", **headers: str) -> httpx.Response:
        transport = httpx.ASGITransport(self.door, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
            return await client.get("/mcp", headers=headers)


@pytest.mark.parametrize(
    "host", ["gate.example", "GATE.example:8443", "gate.example.", "localhost", "127.0.0.1:9", "[::1]:9"]
)
async def test_its_own_names_are_known_with_any_port(host: str) -> None:
    visitors = Visitors()
    answer = await visitors.get(Host=host, Authorization="Bearer good")
    assert answer.text == "in"


@pytest.mark.parametrize(
    "host", ["", "evil.example", "gate.example.evil.example", "gate.example@evil.example", "127.0.0.2"]
)
async def test_any_other_name_is_misdirected(host: str) -> None:
    assert (await Visitors().get(Host=host, Authorization="Bearer good")).status_code == 421


@pytest.mark.parametrize("origin", ["https://page.example", "http://localhost:5173", "http://127.0.0.1"])
async def test_known_pages_may_call(origin: str) -> None:
    assert (await Visitors().get(Origin=origin, Authorization="Bearer good")).status_code == 200


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_its_own_pages_may_call_over_what_they_came_by(scheme: str) -> None:
    transport = httpx.ASGITransport(Visitors().door)
    async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://gate.example:8443") as client:
        told = {"Authorization": "Bearer good"}
        own = await client.get("/", headers={**told, "Origin": f"{scheme}://gate.example:8443"})
        other = await client.get("/", headers={**told, "Origin": f"{scheme}://gate.example:8444"})
    assert (own.status_code, other.status_code) == (200, 403)


@pytest.mark.parametrize(
    "origin",
    ["null", "", "https://evil.example", "http://page.example", "https://page.example.evil", "file://localhost"],
)
async def test_other_pages_may_not(origin: str) -> None:
    assert (await Visitors().get(Origin=origin, Authorization="Bearer good")).status_code == 403


async def test_many_failures_of_one_address_are_put_off_and_no_longer_recorded() -> None:
    visitors = Visitors()
    codes = [(await visitors.get()).status_code for _ in range(MOST_FAILURES + 5)]
    assert codes == [401] * MOST_FAILURES + [429] * 5
    assert len(visitors.lines) == MOST_FAILURES
    assert (await visitors.get("10.0.0.2")).status_code == 401
    visitors.clock.now += WINDOW_S + 1
    assert (await visitors.get()).status_code == 401


async def test_a_good_token_is_let_in_whatever_else_came_from_its_address() -> None:
    visitors = Visitors()
    for _ in range(MOST_FAILURES + 5):
        await visitors.get()
    assert (await visitors.get(Authorization="Bearer good")).text == "in"


async def test_what_is_recorded_says_where_and_why_and_holds_no_token() -> None:
    visitors = Visitors()
    await visitors.get()
    await visitors.get(Authorization="Bearer s3cret")
    assert [line["reason"] for line in visitors.lines] == ["there is no token", "the token is not good"]
    assert {line["address"] for line in visitors.lines} == {"10.0.0.1"}
    assert "s3cret" not in str(visitors.lines)
