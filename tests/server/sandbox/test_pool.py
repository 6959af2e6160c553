import errno
from dataclasses import dataclass, field

import anyio
import pytest

from server.record.audit import AuditFailed
from server.sandbox.demand import Demand
from server.sandbox.egress_link import AllowEntry
from server.sandbox.pool import Pool
from server.sandbox.sandbox import Sandbox, SandboxFailed, SandboxSpec
from tests.clock import Clock
from tests.fakes import SPEC, FakeSandbox
from tests.waiting import eventually

pytestmark = pytest.mark.anyio


@dataclass
class Maker:
    made: list[FakeSandbox] = field(default_factory=list)
    failing: bool = False
    at_work: int = 0
    most_at_work: int = 0

    async def create(self, spec: SandboxSpec) -> FakeSandbox:
        self.at_work += 1
        self.most_at_work = max(self.at_work, self.most_at_work)
        await anyio.lowlevel.checkpoint()
        self.at_work -= 1
        if self.failing:
            raise SandboxFailed("no engine")
        self.made.append(FakeSandbox(id=f"box{len(self.made)}"))
        return self.made[-1]

    async def adopt(self, spec: SandboxSpec, sandbox_id: str, key: str) -> FakeSandbox:
        self.made.append(FakeSandbox(id=sandbox_id, spec=spec, key=key))
        return self.made[-1]


@dataclass
class FakeGate:
    said: list[tuple[str, str]] = field(default_factory=list)
    expected: int = 0
    disk_is_full: bool = False

    def expect(self) -> None:
        self.expected += 1

    async def attach(
        self, sandbox_id: str, allow: tuple[AllowEntry, ...] | None, lent_as: str = "", secrets: tuple[str, ...] = ()
    ) -> None:
        if self.disk_is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.said.append(("attach" if allow is None else "attach with its list", sandbox_id))

    def bind(self, sandbox_id: str, allow: tuple[AllowEntry, ...]) -> None:
        self.said.append(("bind", sandbox_id))

    def calls(self, sandbox_id: str, decisions: tuple[str, ...]) -> None: ...

    async def detach(self, sandbox_id: str) -> None:
        self.said.append(("detach", sandbox_id))


def note(kind: str, sandbox: Sandbox) -> None: ...


async def settled() -> None:
    await anyio.wait_all_tasks_blocked()


async def test_nothing_is_made_before_the_first_claim() -> None:
    maker = Maker()
    async with anyio.create_task_group() as tasks:
        Pool(maker, FakeGate(), tasks, Demand(1), note)
        await settled()

    assert maker.made == []


async def test_none_is_made_ahead_of_what_is_claimed_alone() -> None:
    maker = Maker()
    async with anyio.create_task_group() as tasks:
        await Pool(maker, FakeGate(), tasks, Demand(1), note).claim(SPEC, (), alone=True)
        await settled()

    assert len(maker.made) == 1


async def test_after_a_claim_one_waits_warm_for_the_next() -> None:
    maker, gate = Maker(), FakeGate()
    async with anyio.create_task_group() as tasks:
        pool = Pool(maker, gate, tasks, Demand(1), note)
        first = await pool.claim(SPEC, ())
        await settled()
        second = await pool.claim(SPEC, ())
        await settled()

    assert (first.id, second.id) == ("box0", "box1")
    assert len(maker.made) == 4  # and two for a third and a fourth: as many as were claimed of late


async def test_one_that_cannot_be_recorded_is_not_kept_and_ends_nothing_where_it_is_made_ahead() -> None:
    maker, gate = Maker(), FakeGate()

    def refuse(kind: str, sandbox: Sandbox) -> None:
        if sandbox.id != "box0":
            raise AuditFailed("no room")

    async with anyio.create_task_group() as tasks:
        pool = Pool(maker, gate, tasks, Demand(1), refuse)
        await pool.claim(SPEC, ())
        await settled()

    assert [box.closed for box in maker.made] == [False, True]
    assert ("detach", "box1") in gate.said
    assert pool.warm == {}


async def test_a_full_disk_is_said_where_one_is_claimed_and_ends_nothing_where_one_is_made_ahead() -> None:
    maker, gate = Maker(), FakeGate()
    async with anyio.create_task_group() as tasks:
        pool = Pool(maker, gate, tasks, Demand(1), note)
        await pool.claim(SPEC, ())
        gate.disk_is_full = True
        await settled()
        with pytest.raises(SandboxFailed, match=r"No space left .* make room .* SANDGATE_RUNTIME_DIR"):
            await pool.claim(SPEC, ())

    assert [made.closed for made in maker.made] == [False, True, True]


@pytest.mark.promise("session.alone")
async def test_a_released_sandbox_is_destroyed_and_never_handed_out_again() -> None:
    maker = Maker()
    async with anyio.create_task_group() as tasks:
        pool = Pool(maker, FakeGate(), tasks, Demand(0), note)
        first = await pool.claim(SPEC, ())
        await pool.release(first)
        second = await pool.claim(SPEC, ())

    assert maker.made[0].closed
    assert second.id == "box1"


async def test_a_warm_sandbox_that_died_is_not_handed_out() -> None:
    maker = Maker()
    async with anyio.create_task_group() as tasks:
        pool = Pool(maker, FakeGate(), tasks, Demand(1), note)
        await pool.claim(SPEC, ())
        await settled()
        maker.made[1].alive = False
        claimed = await pool.claim(SPEC, ())
        await settled()

    assert claimed.id == "box2"
    assert maker.made[1].closed


@pytest.mark.promise("nothing.left")
async def test_a_caller_who_gives_up_while_a_warm_one_is_looked_at_leaves_none_behind() -> None:
    maker, gate = Maker(), FakeGate()
    async with anyio.create_task_group() as tasks:
        pool = Pool(maker, gate, tasks, Demand(1), note)
        await pool.claim(SPEC, ())
        await settled()
        maker.made[1].ping = anyio.sleep_forever  # type: ignore[method-assign]  # it has not answered yet
        async with anyio.create_task_group() as callers:
            callers.start_soon(pool.claim, SPEC, ())
            await settled()
            callers.cancel_scope.cancel()

    assert maker.made[1].closed
    assert ("detach", "box1") in gate.said


@pytest.mark.promise("nothing.left")
async def test_a_claim_that_cannot_be_recorded_leaves_no_sandbox() -> None:
    maker, gate = Maker(), FakeGate()

    def refuse(kind: str, sandbox: Sandbox) -> None:
        if kind == "sandbox.claimed":
            raise AuditFailed("no room")

    async with anyio.create_task_group() as tasks:
        with pytest.raises(AuditFailed):
            await Pool(maker, gate, tasks, Demand(1), refuse).claim(SPEC, ())

    assert [made.closed for made in maker.made] == [True]
    assert ("detach", "box0") in gate.said


@pytest.mark.promise("egress.start_refused")
async def test_a_cold_sandbox_never_listens_without_its_list_and_a_warm_one_waits_for_its_own() -> None:
    gate = FakeGate()
    async with anyio.create_task_group() as tasks:
        pool = Pool(Maker(), gate, tasks, Demand(1), note)
        await pool.claim(SPEC, ("docs.example",))
        await settled()
        await pool.claim(SPEC, ("docs.example",))
        await settled()

    assert gate.said[:3] == [("attach with its list", "box0"), ("attach", "box1"), ("bind", "box1")]


async def test_the_gate_hears_of_a_sandbox_before_it_is_made() -> None:
    gate, heard = FakeGate(), list[int]()

    class Listening(Maker):
        async def create(self, spec: SandboxSpec) -> FakeSandbox:
            heard.append(gate.expected)
            return await super().create(spec)

    async with anyio.create_task_group() as tasks:
        await Pool(Listening(), gate, tasks, Demand(0), note).claim(SPEC, ())

    assert heard == [1]


async def test_a_failing_engine_is_told_to_whoever_claims() -> None:
    async with anyio.create_task_group() as tasks:
        pool = Pool(Maker(failing=True), FakeGate(), tasks, Demand(1), note)
        with pytest.raises(SandboxFailed):
            await pool.claim(SPEC, ())


@pytest.mark.promise("nothing.left")
async def test_closing_waits_for_what_is_being_made_and_destroys_it() -> None:
    maker = Maker()
    async with anyio.create_task_group() as tasks:
        pool = Pool(maker, FakeGate(), tasks, Demand(2), note)
        await pool.claim(SPEC, ())
        await pool.close()

    assert [box.closed for box in maker.made[1:]] == [True] * (len(maker.made) - 1)


async def test_a_burst_is_made_a_few_at_a_time() -> None:
    maker = Maker()
    async with anyio.create_task_group() as tasks:
        pool = Pool(maker, FakeGate(), tasks, Demand(1), note, at_once=2)
        for _ in range(6):
            tasks.start_soon(pool.claim, SPEC, ())
        await settled()

    assert maker.most_at_work == 2
    assert len(maker.made) == 6 + 6


async def test_what_a_burst_left_warm_is_let_go_when_it_is_over() -> None:
    maker, clock = Maker(), Clock()
    async with anyio.create_task_group() as tasks:
        pool = Pool(maker, FakeGate(), tasks, Demand(1, recent_s=0.001, clock=clock), note)
        for _ in range(4):
            await pool.claim(SPEC, ())
        await settled()
        warm = len(maker.made) - 4
        clock.now = 100.0
        tasks.start_soon(pool.keep)
        await eventually(lambda: sum(box.closed for box in maker.made) >= warm - 1)
        tasks.cancel_scope.cancel()

    assert warm == 4
    assert repr(pool) == "<pool base: 1 warm>"


async def test_a_warm_sandbox_that_died_is_replaced_before_somebody_wants_it() -> None:
    maker = Maker()
    async with anyio.create_task_group() as tasks:
        pool = Pool(maker, FakeGate(), tasks, Demand(1, recent_s=0.001, clock=Clock()), note)
        await pool.claim(SPEC, ())
        await settled()
        maker.made[1].alive = False
        tasks.start_soon(pool.keep)
        await eventually(lambda: len(maker.made) >= 3)
        tasks.cancel_scope.cancel()

    assert maker.made[1].closed


class DeafGate(FakeGate):
    async def attach(
        self, sandbox_id: str, allow: tuple[AllowEntry, ...] | None, lent_as: str = "", secrets: tuple[str, ...] = ()
    ) -> None:
        raise SandboxFailed("no certificate")


@pytest.mark.promise("nothing.left")
async def test_a_sandbox_that_gets_no_gate_is_not_left_behind() -> None:
    maker = Maker()
    async with anyio.create_task_group() as tasks:
        with pytest.raises(SandboxFailed):
            await Pool(maker, DeafGate(), tasks, Demand(0), note).claim(SPEC, ())

    assert maker.made[0].closed


@pytest.mark.promise("egress.start_refused")
async def test_one_that_is_adopted_listens_with_its_list_and_none_is_made_ahead() -> None:
    maker, gate = Maker(), FakeGate()
    async with anyio.create_task_group() as tasks:
        adopted = await Pool(maker, gate, tasks, Demand(1), note).adopt(SPEC, "left", "k", ("docs.example",))
        await settled()

    assert (adopted.id, adopted.key) == ("left", "k")
    assert gate.said == [("attach with its list", "left")]
    assert len(maker.made) == 1
