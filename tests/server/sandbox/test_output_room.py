from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from server.sandbox.output_room import OutputRoom
from server.sandbox.spool import SEGMENT_BYTES, Spool

MIB = 1 << 20


@dataclass
class Chatty:
    over: bool
    streams: Mapping[str, Spool]


def chatty(folder: Path, room: OutputRoom, name: str, *, over: bool, says: int = 2 * MIB) -> Chatty:
    made = Chatty(over=False, streams={"stdout": Spool(folder / name, room.make)})
    room.enter(made)
    made.streams["stdout"].write(name.encode() * (says // len(name)))
    made.streams["stdout"].end()
    made.over = over
    return made


def on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


@pytest.mark.promise("result.truthful")
def test_the_oldest_that_is_over_gives_way_and_its_ends_stay(tmp_path: Path) -> None:
    room = OutputRoom(5 * MIB)
    first, second = (chatty(tmp_path, room, name, over=True) for name in "ab")
    third = chatty(tmp_path, room, "c", over=False)

    assert on_disk(tmp_path) == room.used <= 5 * MIB
    assert first.streams["stdout"].dropped > 0
    assert second.streams["stdout"].dropped == third.streams["stdout"].dropped == 0
    assert first.streams["stdout"].read(0, SEGMENT_BYTES).data == b"a" * SEGMENT_BYTES
    assert first.streams["stdout"].read(2 * MIB - SEGMENT_BYTES, MIB).data == b"a" * SEGMENT_BYTES


def test_where_all_run_the_largest_gives_way(tmp_path: Path) -> None:
    room = OutputRoom(4 * MIB)
    small = chatty(tmp_path, room, "a", over=False, says=MIB)
    large = chatty(tmp_path, room, "b", over=False, says=30 * MIB)

    assert on_disk(tmp_path) == room.used <= 4 * MIB
    assert small.streams["stdout"].dropped == 0
    assert large.streams["stdout"].total == 30 * MIB
    assert large.streams["stdout"].kept >= 2 * SEGMENT_BYTES


def test_who_leaves_gives_his_room_back(tmp_path: Path) -> None:
    room = OutputRoom(4 * MIB)
    first = chatty(tmp_path, room, "a", over=True)
    room.leave(first)

    assert room.used == 0
