from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest

from policy.question import CallerFacts, Question, RunCommand, SessionFacts
from policy.verdict import Allow, permit
from server.record.audit import AuditFailed
from server.sandbox.caretaker import Caretaker, Periods, Shares
from server.sandbox.room import Room
from server.sandbox.sandbox import Exit, SandboxFailed
from server.sandbox.session import Session
from server.sandbox.spool import SEGMENT_BYTES
from tests.fakes import SPEC, FakeSandbox, ledger
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.anyio

ACT = RunCommand(("true",), "/workspace", b"", 1, background=True)
PERMIT = permit(Question(CallerFacts("ann"), "exec", SessionFacts("default", "base"), ACT, {}), Allow())


PERIODS = Periods(freeze_s=100.0, park_s=0, keep_parked_s=0)
ALL = Periods(freeze_s=100.0, park_s=1000.0, keep_parked_s=10_000.0)


def nothing(end: Exit) -> None: ...


@dataclass
class Tended:
    sessions: list[Session]
    did: list[str] = field(default_factory=list)
    stuck: bool = False
    buried: list[float] = field(default_factory=list[float])
    room: Room = field(default_factory=lambda: Room(1))

    def at_hand(self) -> list[Session]:
        return self.sessions

    async def freeze(self, session: Session) -> None:
        if self.stuck:
            raise SandboxFailed("the engine will not")
        self.did.append(f"freeze {session.name}")

    async def park(self, session: Session) -> None:
        if self.stuck:
            raise AuditFailed("no room")
        self.did.append(f"park {session.name}")

    async def expire(self, session: Session) -> None:
        self.did.append(f"expire {session.name}")

    async def bury(self, unused_since: float, most_parked: int) -> None:
        assert most_parked == Shares().parked
        self.buried.append(unused_since)


@dataclass
class House:
    """A session last used at second 0, and a clock."""

    folder: Path
    now: float = 0.0

    def __post_init__(self) -> None:
        box = FakeSandbox(end=None)
        self.session = Session(
            "s1",
            "work",
            "ann",
            box,
            SPEC,
            self.folder,
            0,
            0,
            lambda _: None,
            ledger(self.folder),
            clock=lambda: self.now,
        )
        self.tended = Tended([self.session])

    async def after(self, seconds: float, periods: Periods = PERIODS) -> list[str]:
        self.now = seconds
        await Caretaker(self.tended, periods, Shares(), lambda: self.now).round()
        return self.tended.did


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_a_session_nobody_uses_is_frozen_and_not_before(house: House) -> None:
    assert await house.after(99) == []
    assert await house.after(100) == ["freeze work"]


async def test_a_session_in_which_something_runs_is_never_frozen(house: House) -> None:
    job = await house.session.start(PERMIT, "exec", "d-1", nothing)
    assert await house.after(1e6) == []
    job.ended(Exit("exited", 0, left_behind=1))
    assert await house.after(2e6) == []
    job.cleared()
    assert await house.after(3e6) == ["freeze work"]


async def test_the_time_without_use_begins_at_a_jobs_end(house: House) -> None:
    job = await house.session.start(PERMIT, "exec", "d-1", nothing)
    house.now = 500
    job.ended(Exit("exited", 0))

    assert await house.after(599) == []
    assert await house.after(600) == ["freeze work"]


async def test_a_session_that_a_call_holds_is_left_alone(house: House) -> None:
    house.session.holds = 1

    assert await house.after(1e6) == []


async def test_what_is_frozen_is_not_frozen_again(house: House) -> None:
    house.session.state = "frozen"

    assert await house.after(1e6) == []


async def test_a_period_of_none_is_never(house: House) -> None:
    assert await house.after(1e6, Periods(0, 0, 0)) == []


async def test_a_session_whose_time_is_over_ends_whatever_runs_in_it(house: House) -> None:
    house.session.ends = 50
    job = await house.session.start(PERMIT, "exec", "d-1", nothing)

    assert await house.after(49) == []
    assert await house.after(50) == ["expire work"]
    job.close()


async def test_an_engine_that_will_not_is_tried_again(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.tended.stuck = True
    assert await house.after(100) == []
    house.tended.stuck = False

    assert await house.after(200) == ["freeze work"]
    assert "the engine will not" in caplog.text


async def test_a_record_that_cannot_be_written_does_not_end_the_server(house: House) -> None:
    house.tended.stuck = True
    assert await house.after(1000, ALL) == []


def test_it_looks_often_enough_for_the_shortest_period_and_not_all_the_time() -> None:
    assert [Periods(period, 0).look_every_s for period in (0.4, 0.01, 120, 0)] == [0.1, 0.05, 15, 15]
    assert Periods(120, 0.4).look_every_s == 0.1


async def test_it_rests_in_steps_and_then_is_gone(house: House) -> None:
    assert await house.after(100, ALL) == ["freeze work"]
    house.session.state = "frozen"
    assert await house.after(999, ALL) == ["freeze work"]
    assert await house.after(1000, ALL) == ["freeze work", "park work"]
    house.session.state = "parked"
    assert await house.after(9999, ALL) == ["freeze work", "park work"]
    assert await house.after(10_000, ALL) == ["freeze work", "park work", "expire work"]


async def test_what_could_not_be_frozen_is_parked_when_that_time_comes(house: House) -> None:
    assert await house.after(1000, ALL) == ["park work"]


@asynccontextmanager
async def waiting(house: House, room: Room, caller: str) -> AsyncGenerator[None]:
    """The session has a place of ann's, and that caller waits for one."""
    await room.enter("ann")
    house.tended.room = room
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(room.enter, caller)
        await anyio.wait_all_tasks_blocked()
        yield
        tasks.cancel_scope.cancel()


async def test_where_somebody_waits_for_a_place_the_longest_unused_gives_way(house: House) -> None:
    async with waiting(house, Room(1, patience_s=30), "bob"):
        assert await house.after(9, ALL) == []  # used a moment ago
        newer = House(house.folder)
        newer.session.name, newer.session.used = "newer", 5
        house.tended.sessions.insert(0, newer.session)
        assert await house.after(20, ALL) == ["park work"]
        house.session.holds = 1
        assert await house.after(20, ALL) == ["park work", "park newer"]


async def test_who_is_at_a_number_of_its_own_parks_nobody_elses(house: House) -> None:
    room = Room(9, patience_s=30, each=1)
    await room.enter("bob")
    async with waiting(house, room, "bob"):
        assert await house.after(20, ALL) == []
        house.session.owner = "bob"
        assert await house.after(20, ALL) == ["park work"]


async def test_of_what_a_callers_commands_wrote_the_oldest_that_is_over_gives_way(house: House) -> None:
    other = House(house.folder / "other")
    other.session.id, other.session.used = "s2", 5
    house.tended.sessions.append(other.session)
    for session in house.tended.sessions:
        session.folder.mkdir(exist_ok=True)
        job = await session.start(PERMIT, "exec", f"d-{session.id}", nothing)
        job.write(1, b"x" * (6 * SEGMENT_BYTES))
        job.ended(Exit("exited", 0))
    house.now = 6
    await Caretaker(house.tended, ALL, Shares(50, 10 * SEGMENT_BYTES), lambda: house.now).round()

    assert house.session.room.used < 5 * SEGMENT_BYTES
    assert other.session.room.used >= 6 * SEGMENT_BYTES


async def test_output_that_cannot_be_removed_ends_no_server(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> int:
        raise OSError("read-only file system")

    monkeypatch.setattr("server.sandbox.output_room.OutputRoom.shed", fails)
    monkeypatch.setattr("server.sandbox.output_room.OutputRoom.used", 1 << 60)
    await house.after(6, ALL)

    assert "read-only file system" in caplog.text


async def test_old_parked_sessions_are_looked_for_now_and_then(house: House) -> None:
    caretaker = Caretaker(house.tended, ALL, Shares(), lambda: house.now)
    for house.now in (20_000, 20_001, 20_400):
        await caretaker.round()

    assert house.tended.buried == [10_000, 10_400]


async def until(holds: Callable[[], bool], step: Callable[[], Awaitable[None]]) -> None:
    with anyio.fail_after(PATIENCE_S):
        while not holds():
            await step()


async def test_it_goes_on_for_as_long_as_the_server_lives(house: House) -> None:
    house.now = 100
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Caretaker(house.tended, Periods(0.01, 0, 0), Shares(), lambda: house.now).keep)
        await until(lambda: len(house.tended.did) > 1, lambda: anyio.sleep(0.01))
        tasks.cancel_scope.cancel()
