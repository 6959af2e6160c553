from pathlib import Path

import pytest

from server.record.chain_file import ChainFile, Rotation
from server.record.segments import Segments
from server.record.trail import Gap, Place, Trail
from tests.server.record.receivers import written

ALL = 1 << 40


def numbers(trail: Trail, most: int = 1000) -> list[int]:
    lines, gaps = trail.next(most, ALL)
    assert gaps == []
    return [line.sequence for line in lines]


def test_each_line_comes_once_through_every_rotation(tmp_path: Path) -> None:
    file = ChainFile(tmp_path / "audit.jsonl", "interval", Rotation(bytes=1000))
    trail, found = Trail(tmp_path / "audit.jsonl"), list[int]()
    assert numbers(trail) == []
    for number in range(60):
        file.append("server.note", {"number": number})
        if number % 7 == 0:
            found += numbers(trail, 5)
    while more := numbers(trail, 5):
        found += more

    assert found == list(range(1, file.head.sequence + 1))
    trail.close()


@pytest.mark.promise("audit.exported")
@pytest.mark.parametrize("look", [1, 2])
def test_a_file_that_is_closed_right_after_a_look_for_such_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, look: int
) -> None:
    file = ChainFile(tmp_path / "audit.jsonl", "interval", Rotation(bytes=1000))
    file.append("server.note", {"number": 0})
    trail, seen, looks = Trail(tmp_path / "audit.jsonl"), Segments.closed, 0
    assert numbers(trail) == [1]
    trail.close()

    def closed(segments: Segments) -> list[Path]:
        nonlocal looks
        found, looks = seen(segments), looks + 1
        if looks == look:  # the other server writes on, into this file and then the next one
            monkeypatch.undo()
            while len(seen(segments)) == len(found):
                file.append("server.note", {"number": looks})
        return found

    monkeypatch.setattr(Segments, "closed", closed)
    found = numbers(trail)
    while more := numbers(trail):
        found += more

    assert found == list(range(2, file.head.sequence + 1))
    trail.close()


def test_half_a_line_waits_for_its_end_and_what_is_cut_away_is_never_told(tmp_path: Path) -> None:
    path = written(tmp_path, 2)
    trail = Trail(path)
    assert numbers(trail) == [1, 2]
    with path.open("ab") as file:
        file.write(b'{"sequence":3,"half')
    assert numbers(trail) == []
    written(tmp_path, 1)

    assert numbers(trail) == [3, 4]
    trail.close()


def test_it_goes_on_where_another_was_and_looks_again_where_that_place_is_none(tmp_path: Path) -> None:
    path = written(tmp_path, 30, Rotation(bytes=2000))
    first = Trail(path)
    assert numbers(first, 12) == list(range(1, 13))
    first.close()

    for place in (first.place, Place(first.place.file, 17), Place(first.place.file, 1 << 40), Place(1, 1)):
        again = Trail(path, 12, place)
        assert numbers(again)[0] == 13
        again.close()


@pytest.mark.parametrize("attack", ["taken away", "cut"])
def test_an_audit_that_begins_anew_is_told_from_its_beginning(tmp_path: Path, attack: str) -> None:
    path = written(tmp_path, 5)
    trail = Trail(path)
    assert numbers(trail) == [1, 2, 3, 4, 5]
    if attack == "cut":
        path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    else:
        path.unlink()
    written(tmp_path, 2)

    assert numbers(trail) == ([1, 2, 3] if attack == "cut" else [1, 2])
    trail.close()


def test_files_that_are_gone_are_told_as_a_gap(tmp_path: Path) -> None:
    path = written(tmp_path, 30, Rotation(bytes=1000))
    first, *_ = sorted(tmp_path.glob("audit-*"))
    lines = first.read_bytes().count(b"\n")
    first.unlink()
    trail = Trail(path)

    found, gaps = trail.next(1000, ALL)
    assert gaps == [Gap(1, lines, "their files are gone")]
    assert found[0].sequence == lines + 1
    trail.close()


def test_of_more_than_the_backlog_the_older_half_is_passed_over(tmp_path: Path) -> None:
    path = written(tmp_path, 100, Rotation(bytes=4000))
    trail = Trail(path)

    lines, (gap,) = trail.next(1000, 8000)
    assert (gap.first, gap.last) == (1, lines[0].sequence - 1)
    assert 2000 < sum(len(line.raw) + 1 for line in lines) <= 4000
    trail.close()


def test_a_file_that_is_removed_while_what_waits_is_counted_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, exists = written(tmp_path, 30, Rotation(bytes=1000)), Path.exists
    trail = Trail(path)

    def removed(looked_at: Path, **how: bool) -> bool:
        there = exists(looked_at, **how)
        if looked_at.parent == tmp_path:
            looked_at.unlink(missing_ok=True)
        return there

    with monkeypatch.context() as patched:
        patched.setattr(Path, "exists", removed)
        assert trail.waiting_bytes() > 0
    trail.close()
