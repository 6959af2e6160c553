from collections.abc import MutableMapping
from typing import Any

import anyio
import pytest

from server.front.pacing import AT_ONCE, MOST_KNOWN, Pacing
from tests.clock import Clock

pytestmark = [pytest.mark.anyio, pytest.mark.promise("limits.fair")]


async def nothing() -> MutableMapping[str, Any]:
    raise AssertionError("what is held is not read")


class House:
    """What came through, and what was answered in its place."""

    def __init__(self, per_s: float = 10, patience_s: float = 1e-6) -> None:
        self.clock, self.came = Clock(), list[str]()
        self.pacing = Pacing(self.app, per_s=per_s, patience_s=patience_s, clock=self.clock)

    async def app(self, scope: MutableMapping[str, Any], _receive: Any, _send: Any) -> None:
        self.came.append(scope["method"])

    async def ask(self, token: str = "ann", method: str = "POST") -> tuple[int, str]:
        answers = list[MutableMapping[str, Any]]()

        async def send(message: MutableMapping[str, Any]) -> None:
            answers.append(message)

        headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
        scope = {"type": "http", "method": method, "headers": headers, "client": ("192.0.2.1", 1)}
        await self.pacing(scope, nothing, send)
        if not answers:
            return 200, ""
        return answers[0]["status"], dict(answers[0]["headers"]).get(b"retry-after", b"").decode()


async def test_a_few_come_in_at_once_and_a_flood_at_its_pace() -> None:
    house = House()
    assert [(await house.ask())[0] for _ in range(AT_ONCE + 2)] == [200] * AT_ONCE + [429] * 2
    assert await house.ask("bob") == (200, "")
    house.clock.now += 0.05
    assert [(await house.ask())[0] for _ in range(2)] == [200, 429]
    house.clock.now += 60

    assert [(await house.ask())[0] for _ in range(AT_ONCE + 1)] == [200] * AT_ONCE + [429]


async def test_who_comes_in_later_waits_and_is_told_when_that_would_be_long() -> None:
    house = House(per_s=500, patience_s=0.05)
    async with anyio.create_task_group() as tasks:
        for _ in range(AT_ONCE + 20):
            tasks.start_soon(house.ask)
    assert len(house.came) == AT_ONCE + 20

    slow = House(per_s=0.01)
    for _ in range(AT_ONCE):
        await slow.ask()
    assert await slow.ask() == (429, "50")


async def test_what_only_reads_is_not_held_and_who_has_no_token_is_known_by_address() -> None:
    house = House()
    assert [(await house.ask(method="GET"))[0] for _ in range(AT_ONCE + 2)] == [200] * (AT_ONCE + 2)
    assert [(await house.ask(""))[0] for _ in range(AT_ONCE + 1)] == [200] * AT_ONCE + [429]


async def test_any_number_of_tokens_takes_a_bounded_memory() -> None:
    house = House()
    for number in range(MOST_KNOWN + 10):
        house.pacing._wait_s(number)

    assert len(house.pacing._due) == MOST_KNOWN
