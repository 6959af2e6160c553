import anyio
import pytest

from server.sandbox.room import Full, Room
from tests.clock import Clock

pytestmark = pytest.mark.anyio


async def test_there_is_room_for_as_many_as_allowed() -> None:
    room = Room(2, patience_s=0)
    await room.enter("ann")
    await room.enter("ann")

    with pytest.raises(Full, match=r"2 sandboxes are in use.*session_close"):
        await room.enter("bob")


async def test_a_place_that_comes_free_is_the_next_ones() -> None:
    room = Room(1, patience_s=30)
    await room.enter("ann")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(room.enter, "bob")
        await anyio.wait_all_tasks_blocked()
        sought = room.sought.is_set()
        room.leave("ann")

    assert sought
    assert repr(room) == "<room 1 of 1, 0 wait>"
    assert not room.sought.is_set()


async def test_one_who_asks_for_many_does_not_stand_before_one_who_asks_for_one() -> None:
    room, served = Room(3, patience_s=30), list[str]()
    for _ in range(3):
        await room.enter("ann")

    async def want(caller: str) -> None:
        await room.enter(caller)
        served.append(caller)

    async with anyio.create_task_group() as tasks:
        for caller in ("ann", "ann", "bob"):
            tasks.start_soon(want, caller)
            await anyio.wait_all_tasks_blocked()
        for _ in range(3):
            room.leave("ann")
            await anyio.wait_all_tasks_blocked()

    assert served == ["ann", "bob", "ann"]


async def test_who_gives_up_leaves_the_line_and_takes_no_place() -> None:
    room = Room(1, patience_s=30)
    await room.enter("ann")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(room.enter, "bob")
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    room.leave("ann")

    assert repr(room) == "<room 0 of 1, 0 wait>"
    await room.enter("eve")


async def test_a_place_given_to_one_who_was_cancelled_in_that_moment_goes_on_to_the_next() -> None:
    room = Room(1, patience_s=30)
    await room.enter("ann")
    bobs = anyio.CancelScope()

    async def bob() -> None:
        with bobs:
            await room.enter("bob")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bob)
        await anyio.wait_all_tasks_blocked()
        bobs.cancel()
        room.leave("ann")

    assert room.used == 0


async def test_the_line_is_no_longer_than_there_are_places() -> None:
    room = Room(1, patience_s=30)
    await room.enter("ann")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(room.enter, "bob")
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(Full, match="as many callers wait"):
            await room.enter("eve")
        room.leave("ann")


async def test_when_to_try_again_follows_how_often_a_place_came_free() -> None:
    room = Room(1, patience_s=0, clock=(clock := Clock()))
    await room.enter("ann")
    with pytest.raises(Full) as unknown:
        await room.enter("bob")
    for moment in (0.0, 10.0, 20.0):
        clock.now = moment
        room.leave("ann")
        await room.enter("ann")
    clock.now = 30.0
    with pytest.raises(Full) as known:
        await room.enter("bob")

    assert unknown.value.retry_after_s == 15
    assert known.value.retry_after_s == 10  # a place every 10 s


async def test_what_is_there_already_has_its_place_over_the_cap_too() -> None:
    room = Room(1, patience_s=0)
    await room.enter("ann")
    room.take("ann")
    room.leave("ann")

    with pytest.raises(Full):
        await room.enter("bob")


async def test_nobody_has_more_than_its_own_number_and_no_other_waits_for_that() -> None:
    room = Room(3, patience_s=0, each=1)
    await room.enter("ann")
    with pytest.raises(Full, match="1 sandboxes of yours are in use"):
        await room.enter("ann")
    await room.enter("bob")

    assert room.used == 2


async def test_a_place_of_its_own_helps_who_is_at_its_number_and_anybodys_who_is_not() -> None:
    room = Room(2, patience_s=30, each=1)
    await room.enter("ann")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(room.enter, "ann")
        await anyio.wait_all_tasks_blocked()
        assert [room.would_help(caller) for caller in ("ann", "bob")] == [True, False]
        await room.enter("bob")
        tasks.start_soon(room.enter, "eve")
        await anyio.wait_all_tasks_blocked()
        assert [room.would_help(caller) for caller in ("ann", "bob")] == [True, True]
        room.leave("ann")
        room.leave("bob")

    assert room.used == 2
