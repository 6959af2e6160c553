from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.sandbox import spool as module
from server.sandbox.spool import Slice, Spool

SEGMENT = 4
HEAD, TAIL = 3, 2  # segments


@pytest.fixture(autouse=True)
def small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_SEGMENTS", HEAD)
    monkeypatch.setattr(module, "TAIL_SEGMENTS", TAIL)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "out", segment=SEGMENT)


def test_what_fits_is_read_back_whole(spool: Spool) -> None:
    spool.write(b"hello")

    assert spool.read(0, 100) == Slice(b"hello", 0, 5)
    assert spool.read(3, 1) == Slice(b"l", 3, 4)
    assert spool.dropped == 0


@pytest.mark.promise("result.truthful")
def test_beginning_and_end_are_kept_and_the_rest_is_counted(spool: Spool) -> None:
    spool.write(b"0123456789ab" + b"x" * 100 + b"the tail")

    assert spool.read(0, 100) == Slice(b"0123456789ab", 0, 12)
    assert spool.read(112, 100) == Slice(b"the tail", 112, 120)
    assert spool.dropped == 96
    assert spool.kept == 24


def test_reading_in_the_dropped_part_goes_on_at_the_tail_and_says_so(spool: Spool) -> None:
    spool.write(b"0123456789ab" + b"x" * 100 + b"the tail")

    assert spool.read(50, 6) == Slice(b"xxxxth", 108, 114, skipped=58)


def test_reading_past_the_end_gives_nothing(spool: Spool) -> None:
    spool.write(b"abc")

    assert spool.read(99, 5) == Slice(b"", 3, 3)


def test_closing_gives_the_disk_back(spool: Spool, tmp_path: Path) -> None:
    spool.write(b"x" * 50)
    spool.close()

    assert list(tmp_path.iterdir()) == []


def test_a_stream_that_ended_holds_no_descriptor(spool: Spool) -> None:
    spool.write(b"abc")
    spool.end()

    assert spool._handle == -1
    assert spool.read(0, 9).data == b"abc"


@pytest.mark.promise("result.truthful")
def test_giving_way_takes_the_middle_until_only_the_guaranteed_ends_are_left(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "out", segment=SEGMENT)
    spool.write(b"aaaabbbbccccddd")

    assert spool.give_way()
    assert not spool.give_way()

    assert spool.read(0, 100) == Slice(b"aaaa", 0, 4)
    assert spool.read(4, 100) == Slice(b"ccccddd", 8, 15, skipped=4)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == spool.kept == 11


@pytest.mark.promise("result.truthful")
@given(st.lists(st.binary(max_size=30), max_size=12), st.integers(0, 12))
def test_another_server_reads_the_same_whatever_was_dropped(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], shortage: int
) -> None:
    path = tmp_path_factory.mktemp("spool") / "out"
    spool = Spool(path, segment=SEGMENT)
    for piece in pieces:
        spool.write(piece)
    for _ in range(shortage):
        spool.give_way()

    again = Spool.reopen(path, segment=SEGMENT)

    assert (again.total, again.kept) == (spool.total, spool.kept)
    assert [again.read(offset, 7) for offset in range(spool.total + 1)] == [
        spool.read(offset, 7) for offset in range(spool.total + 1)
    ]
    again.close()
    assert list(path.parent.iterdir()) == []


def test_what_never_said_anything_is_reopened_empty(tmp_path: Path) -> None:
    assert Spool.reopen(tmp_path / "gone" / "out").read(0, 9) == Slice(b"", 0, 0)


@given(st.lists(st.binary(max_size=40), max_size=12))
def test_however_it_arrives_what_is_kept_is_right_and_what_is_not_is_counted(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]
) -> None:
    spool = Spool(tmp_path_factory.mktemp("spool") / "out", segment=SEGMENT)
    whole = b"".join(pieces)
    for written in pieces:
        spool.write(written)

    assert spool.total == len(whole)
    assert spool.read(0, HEAD * SEGMENT).data == whole[: HEAD * SEGMENT]
    tail = max(HEAD * SEGMENT, len(whole) - TAIL * SEGMENT)
    assert spool.read(tail, 100).data == whole[tail:]
    seen, offset = 0, 0
    while offset < spool.total:
        piece = spool.read(offset, 5)
        assert piece.data == whole[piece.offset : piece.next_offset]
        seen, offset = seen + len(piece.data) + piece.skipped, piece.next_offset
    assert seen == len(whole)
    spool.close()


@pytest.mark.promise("result.truthful")
@pytest.mark.parametrize(
    ("size", "head", "tail"), [(16, b"0123456789ab", b"lxyz"), (8, b"0123", b"lxyz"), (0, b"0123", b"lxyz")]
)
def test_a_decision_may_let_it_keep_less_but_never_neither_end(
    spool: Spool, size: int, head: bytes, tail: bytes
) -> None:
    spool.keep_at_most(size)
    spool.write(b"0123456789ab" + b"-" * 100 + b"tailxyz.")

    assert spool.read(0, 100).data == head
    assert spool.read(spool.total - 5, 4).data == tail
    assert spool.kept <= max(size, 2 * SEGMENT) + SEGMENT
