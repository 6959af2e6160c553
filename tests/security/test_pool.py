"""The pool over a real engine: what is handed out is alive, was nobody's, and no more are made at once than may be."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import pytest

from server.sandbox.demand import Demand
from server.sandbox.docker_engine import DockerEngine
from server.sandbox.docker_sandbox import DockerSandbox
from server.sandbox.pool import Pool
from server.sandbox.sandbox import SandboxSpec
from tests.live import BASE, engine, run
from tests.real_engine import client, put_to_sleep
from tests.server.sandbox.test_pool import FakeGate, note
from tests.waiting import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.promise("session.alone")]


class Counting:
    """The engine, and how many it was making at the same time."""

    def __init__(self, made_by: DockerEngine) -> None:
        self._made_by = made_by
        self.at_work = self.most_at_work = 0
        self.made: list[DockerSandbox] = []

    async def create(self, spec: SandboxSpec) -> DockerSandbox:
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            self.made.append(await self._made_by.create(spec))
        finally:
            self.at_work -= 1
        return self.made[-1]

    async def adopt(self, spec: SandboxSpec, sandbox_id: str, key: str) -> DockerSandbox:
        return await self._made_by.adopt(spec, sandbox_id, key)


@asynccontextmanager
async def pooled(demand: Demand, at_once: int = 2) -> AsyncGenerator[tuple[Pool, Counting]]:
    async with engine() as made_by, anyio.create_task_group() as tasks:
        maker = Counting(made_by)
        pool = Pool(maker, FakeGate(), tasks, demand, note, at_once)
        try:
            yield pool, maker
        finally:
            await pool.close()
            for box in maker.made:
                await box.close()


async def warm(pool: Pool, count: int) -> None:
    await eventually(lambda: pool.warm.get("base", 0) >= count)


async def test_one_that_died_or_hangs_while_it_waited_is_not_handed_out() -> None:
    async with pooled(Demand(2)) as (pool, maker):
        await pool.claim(BASE, ())
        await warm(pool, 2)
        dead, hung = maker.made[1:3]
        with client() as api:
            api.kill(f"sandgate-{dead.id}")
            put_to_sleep(api, f"sandgate-{hung.id}")
            claimed = await pool.claim(BASE, ())
            assert isinstance(claimed, DockerSandbox)
            assert (await run(claimed, "true")).end.exit_code == 0
            with_its_name = {"name": f"sandgate-{hung.id}"}
            await eventually(lambda: api.containers(all=True, filters=with_its_name) == [], "it is still there")

    assert claimed not in (dead, hung)


async def test_a_burst_is_made_two_at_a_time_and_followed_by_as_many_as_were_claimed_none_of_them_used_twice() -> None:
    async with pooled(Demand(1, most=3)) as (pool, maker):
        claimed = list[DockerSandbox]()

        async def claim() -> None:
            box = await pool.claim(BASE, ())
            assert isinstance(box, DockerSandbox)
            assert (
                await run(box, "mkdir", "/workspace/mine")
            ).end.exit_code == 0  # it would exist in one that was used
            claimed.append(box)
            await pool.release(box)

        for _ in range(2):
            async with anyio.create_task_group() as tasks:
                for _ in range(4):
                    tasks.start_soon(claim)
            await warm(pool, 3)

        assert pool.warm == {"base": 3}
    assert maker.most_at_work == 2
    assert len({box.id for box in claimed}) == 8
