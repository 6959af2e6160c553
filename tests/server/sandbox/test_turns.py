import anyio
import pytest

from server.sandbox.sandbox import SandboxFailed
from server.sandbox.turns import Turns

pytestmark = pytest.mark.anyio


async def test_one_after_the_other_has_a_session_and_nobody_waits_for_that_of_others() -> None:
    turns, had, over = Turns(), list[str](), anyio.Event()

    async def take(owner: str, who: str) -> None:
        async with turns.of(owner, "work"):
            had.append(who)
            await over.wait()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(take, "ann", "one")
        tasks.start_soon(take, "ann", "one")
        tasks.start_soon(take, "bob", "another")
        await anyio.wait_all_tasks_blocked()
        assert sorted(had) == ["another", "one"]
        over.set()

    assert sorted(had) == ["another", "one", "one"]


async def test_who_waits_too_long_is_told_so_and_the_turn_goes_on() -> None:
    turns, over = Turns(patience_s=0.5), anyio.Event()

    async def take() -> None:
        async with turns.of("ann", "work"):
            await over.wait()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(take)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(SandboxFailed, match="try again later"):
            async with turns.of("ann", "work"):
                pass
        over.set()
    async with turns.of("ann", "work"):
        pass
