from collections.abc import Callable, Mapping

import pytest

from server.sandbox.disk_watch import RESERVE_BYTES, WEIGH_EVERY_S, DiskWatch, Weight
from server.sandbox.sandbox import MIB, SandboxFailed

pytestmark = pytest.mark.anyio

GIB = 1024 * MIB
ROOM = 50 * GIB


class Disk:
    """A file system with sandboxes on it, and what is seen of them; where the engine is asked, holes are counted."""

    def __init__(self, limit: int = 1 * GIB, room: int = ROOM) -> None:
        self.room: int | None = room
        self.sizes: dict[str, int] = {}
        self.unseen_of, self.guessed = set[str](), False
        self.measured = 0
        self.stopped: list[str] = []
        self.fails = False
        self.now, self.takes = 0.0, 0.0
        self.watch = DiskWatch(lambda: self.room, self.weigh, lambda: self.now)
        for name in ("ours", "theirs"):
            self.watch.enter(name, limit, self.stopping(name))

    def stopping(self, name: str) -> Callable[[], None]:
        return lambda: self.stopped.append(name)

    async def weigh(self) -> Mapping[str, Weight]:
        self.measured += 1
        self.now += self.takes
        if self.fails:
            raise SandboxFailed("no answer")
        return {
            name: Weight(size, whole=name not in self.unseen_of, guessed=self.guessed)
            for name, size in self.sizes.items()
        }

    async def write(self, name: str, size: int, *, holes: int = 0, unseen: int = 0, freed: int = 0) -> None:
        """`freed`: what others give back in the same moment."""
        self.sizes[name] = self.sizes.get(name, 0) + size + holes
        self.room = (self.room or 0) - size - unseen + freed
        await self.watch.look()


async def test_who_writes_more_than_his_limit_is_stopped_and_nobody_else() -> None:
    disk = Disk()
    await disk.write("theirs", 500 * MIB)
    for _ in range(3):
        await disk.write("ours", 400 * MIB)

    assert disk.stopped == ["ours"]
    assert await disk.watch.is_full("ours")
    assert not await disk.watch.is_full("theirs")


async def test_little_writing_costs_no_weighing() -> None:
    disk = Disk()
    for _ in range(6):
        await disk.write("ours", 10 * MIB)

    assert disk.measured == 0


async def test_what_tidies_up_is_not_stopped_and_makes_room_for_more() -> None:
    disk = Disk()
    await disk.write("ours", 1100 * MIB)
    await disk.write("ours", 20 * MIB)
    assert disk.stopped == ["ours"]

    await disk.write("ours", -600 * MIB)
    assert not await disk.watch.is_full("ours")
    await disk.write("ours", 700 * MIB)
    assert disk.stopped == ["ours", "ours"]


async def test_who_writes_on_after_a_stop_is_stopped_again() -> None:
    disk = Disk()
    await disk.write("ours", 1100 * MIB)
    await disk.write("ours", 200 * MIB)

    assert disk.stopped == ["ours", "ours"]


async def test_holes_that_an_engine_counts_are_not_held_against_anybody() -> None:
    disk = Disk()
    disk.guessed = True
    await disk.write("ours", 100 * MIB, holes=10 * GIB)

    assert disk.measured == 1
    assert disk.stopped == []


async def test_the_host_keeps_a_reserve_from_whoever_still_grows() -> None:
    disk = Disk(limit=100 * GIB, room=RESERVE_BYTES + 100 * MIB)
    disk.sizes["theirs"] = 0
    await disk.write("ours", 200 * MIB)

    assert disk.stopped == ["ours"]


async def test_room_that_others_take_or_give_back_stops_nobody() -> None:
    disk = Disk()
    for change in (-20 * GIB, 30 * GIB, -10 * GIB):
        disk.room = (disk.room or 0) + change
        await disk.watch.look()

    assert disk.stopped == []


async def test_an_engine_that_does_not_answer_is_asked_again() -> None:
    disk = Disk()
    disk.fails = True
    await disk.write("ours", 2 * GIB)
    assert disk.stopped == []

    disk.fails = False
    await disk.watch.look()
    assert disk.stopped == ["ours"]


async def test_who_left_is_forgotten_and_an_unknown_room_is_no_reason() -> None:
    disk = Disk()
    disk.room = None
    await disk.watch.look()
    disk.watch.leave("ours")

    assert not await disk.watch.is_full("ours")
    assert disk.measured == 0


async def test_a_weighing_that_takes_long_is_followed_by_a_rest() -> None:
    disk = Disk(limit=100 * GIB)
    disk.takes = 0.5
    for _ in range(5):
        await disk.write("ours", 10 * GIB)
    assert disk.measured == 1

    disk.now += 5
    await disk.watch.look()
    assert disk.measured == 2


async def test_room_that_others_free_in_the_same_moment_hides_nothing_for_long() -> None:
    disk = Disk()
    await disk.write("ours", 1100 * MIB, freed=1100 * MIB)
    disk.watch.stir()
    disk.now += WEIGH_EVERY_S
    await disk.watch.look()

    assert disk.stopped == ["ours"]


async def test_more_room_than_before_is_looked_into_at_once() -> None:
    disk = Disk()
    await disk.write("ours", 1100 * MIB, freed=1300 * MIB)

    assert disk.stopped == ["ours"]


async def test_where_nothing_runs_and_no_room_changes_nothing_is_weighed() -> None:
    disk = Disk()
    for _ in range(3):
        disk.now += WEIGH_EVERY_S
        await disk.watch.look()
    assert disk.measured == 0


async def test_while_commands_run_a_hundredth_of_the_time_goes_into_weighing() -> None:
    disk = Disk()
    disk.takes = 1.0
    for _ in range(600):
        disk.now += 0.5
        disk.watch.stir()
        await disk.watch.look()

    assert disk.measured == 3


async def test_what_cannot_be_seen_of_one_is_what_the_disk_lost_and_nobody_is_seen_to_have() -> None:
    disk = Disk()
    disk.unseen_of = {"ours"}
    await disk.write("theirs", 900 * MIB)
    assert disk.stopped == []

    await disk.write("ours", 300 * MIB, unseen=800 * MIB)
    assert disk.stopped == ["ours"]
