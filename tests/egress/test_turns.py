"""One busy session and one that asks now and then: how long the second waits does not depend on how busy the first is."""

import asyncio
import socket

import pytest

from egress.turns import LARGEST, LONG_S, PENALTY, SMALLEST, Bite, Turns


def order(*sessions: str) -> list[str]:
    """Whose turn it was, one after another, where all of these want theirs at once."""
    had: list[str] = []

    async def play() -> None:
        turns = Turns()

        async def want(session: str) -> None:
            await turns.take(session)
            had.append(session)

        async with asyncio.TaskGroup() as group:
            for session in sessions:
                group.create_task(want(session))

    asyncio.run(play())
    return had


@pytest.mark.promise("egress.neighbours")
def test_a_session_has_one_turn_a_round_however_many_of_its_connections_are_busy() -> None:
    had = order(*["busy"] * 100, "rare")

    assert had.index("rare") <= 2
    assert len(had) == 101


def test_three_take_turns() -> None:
    assert order("a", "a", "a", "b", "c", "b")[:4] in (["a", "a", "b", "c"], ["a", "b", "c", "a"])


def test_between_two_turns_the_loop_looks_for_new_bytes() -> None:
    async def play() -> list[str]:
        turns, had = Turns(), []
        ours, theirs = await asyncio.open_connection(sock=left), right

        async def busy() -> None:
            await turns.take("busy")
            had.append("busy")
            if len(had) == 1:
                theirs.send(b"x")

        async def rare() -> None:
            await ours[0].read(1)
            await turns.take("rare")
            had.append("rare")

        async with asyncio.TaskGroup() as group:
            group.create_task(rare())
            for _ in range(50):
                group.create_task(busy())
        ours[1].close()
        return had

    left, right = socket.socketpair()
    left.setblocking(False)
    with right:
        assert asyncio.run(play()).index("rare") < 10


def test_who_was_cancelled_has_no_turn_and_holds_nobody_up() -> None:
    async def play() -> list[str]:
        turns, had = Turns(), []

        async def want(session: str) -> None:
            await turns.take(session)
            had.append(session)

        tasks = [asyncio.create_task(want(session)) for session in ("a", "b", "b", "c")]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await turns.take("d")
        return had

    assert sorted(asyncio.run(play())) == ["a", "b", "c"]


def test_where_a_little_is_much_work_less_is_read_and_more_again_later() -> None:
    bite = Bite()
    for _ in range(20):
        bite.took(LONG_S * 2, 1.0)
    assert bite.size == SMALLEST
    bite.took(LONG_S / 2, 1.0)
    assert bite.size == SMALLEST
    for _ in range(20):
        bite.took(0, 1.0)
    assert bite.size == LARGEST


@pytest.mark.promise("egress.neighbours")
def test_after_one_very_long_bite_little_is_read_for_many_times_as_long() -> None:
    bite = Bite()
    bite.took(0.3, 10.0)
    for _ in range(20):
        bite.took(0, 10.0 + 0.3 * (PENALTY - 1))
    assert bite.size == SMALLEST
    for _ in range(20):
        bite.took(0, 10.0 + 0.3 * (PENALTY + 1))
    assert bite.size == LARGEST
