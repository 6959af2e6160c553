import asyncio

import pytest

from egress.held import HELD_BYTES, Held

pytestmark = [pytest.mark.anyio, pytest.mark.asyncio_alone]


async def test_it_counts_until_it_is_lifted_and_anew_when_it_starts_again() -> None:
    held = Held(patience_s=0.01)

    assert await held.takes(HELD_BYTES)
    assert not await held.takes(1)
    held.restart()
    assert await held.takes(1)
    held.lift()
    assert await held.takes(HELD_BYTES * 10)


async def test_one_read_is_handed_on_however_much_it_brought() -> None:
    held = Held(patience_s=0.01)

    assert await held.takes(HELD_BYTES * 2)
    assert not await held.takes(1)


@pytest.mark.parametrize("how", ["lift", "restart"])
async def test_what_is_too_much_waits_for_whoever_makes_sense_of_it(how: str) -> None:
    held = Held()
    await held.takes(HELD_BYTES)
    waiting = asyncio.create_task(held.takes(1))
    done, _ = await asyncio.wait([waiting], timeout=0.01)
    assert not done

    getattr(held, how)()

    assert await waiting


async def test_what_is_not_held_is_read_in_pieces_of_another_size() -> None:
    held = Held()
    assert held.at_once(100, 200) == 100
    held.lift()
    assert held.at_once(100, 200) == 200
