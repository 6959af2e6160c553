import os
from pathlib import Path

import anyio
import pytest

from server.sandbox.lock_file import LockFile

pytestmark = pytest.mark.anyio


async def test_many_share_it_and_nobody_has_it_alone_meanwhile(tmp_path: Path) -> None:
    lock = LockFile(tmp_path / "new" / "lock")

    with await lock.shared(), await LockFile(tmp_path / "new" / "lock").shared(), lock.alone() as alone:
        assert not alone
    with lock.alone() as alone, lock.alone() as again:
        assert (alone, again) == (True, False)


@pytest.mark.promise("nothing.left")
async def test_who_waits_to_share_it_may_be_cancelled_and_then_holds_nothing(tmp_path: Path) -> None:
    """As where a server is told to end while another, or its own tidying, has it alone for as long as the engine takes."""
    lock = LockFile(tmp_path / "lock")
    with lock.alone(), anyio.move_on_after(0.02) as waited:
        await lock.shared(0.001)
    with lock.alone() as alone:
        assert alone

    assert waited.cancelled_caught


async def test_a_copy_of_its_handle_holds_it_on(tmp_path: Path) -> None:
    lock = LockFile(tmp_path / "lock")
    with await lock.shared() as handle:
        kept = os.dup(handle)
    with lock.alone() as alone:
        assert not alone

    os.close(kept)
    with lock.alone() as alone:
        assert alone


async def test_who_wants_it_alone_gets_it_when_the_others_have_let_go(tmp_path: Path) -> None:
    lock, order = LockFile(tmp_path / "lock"), list[str]()

    async def want() -> None:
        async with lock.once_alone(0.001):
            order.append("alone")

    async with anyio.create_task_group() as tasks:
        with lock.alone():
            tasks.start_soon(want)
            await anyio.sleep(0.02)
            order.append("let go")

    assert order == ["let go", "alone"]
