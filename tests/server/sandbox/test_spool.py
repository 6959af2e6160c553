from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.sandbox.spool import Slice, Spool

HEAD, TAIL = 10, 8


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "out", HEAD, TAIL)


def test_what_fits_is_read_back_whole(spool: Spool) -> None:
    spool.write(b"hello")

    assert spool.read(0, 100) == Slice(b"hello", 0, 5)
    assert spool.dropped == 0


@pytest.mark.promise("result.truthful")
def test_beginning_and_end_are_kept_and_the_rest_is_counted(spool: Spool) -> None:
    spool.write(b"0123456789" + b"x" * 100 + b"the tail")

    assert spool.read(0, 10).data == b"0123456789"
    assert spool.read(110, 100) == Slice(b"the tail", 110, 118)
    assert spool.dropped == 100


def test_reading_in_the_dropped_part_goes_on_at_the_tail_and_says_so(spool: Spool) -> None:
    spool.write(b"0123456789" + b"x" * 100 + b"the tail")

    assert spool.read(50, 4) == Slice(b"the ", 110, 114, skipped=60)


def test_reading_past_the_end_gives_nothing(spool: Spool) -> None:
    spool.write(b"abc")

    assert spool.read(99, 5) == Slice(b"", 3, 3) or spool.read(99, 5).data == b""


def test_closing_gives_the_disk_back(spool: Spool, tmp_path: Path) -> None:
    spool.write(b"x" * 50)
    spool.close()

    assert list(tmp_path.iterdir()) == []


@given(st.lists(st.binary(max_size=40), max_size=12))
def test_however_it_arrives_head_and_tail_are_right(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]
) -> None:
    spool = Spool(tmp_path_factory.mktemp("spool") / "out", HEAD, TAIL)
    whole = b"".join(pieces)
    for piece in pieces:
        spool.write(piece)

    assert spool.total == len(whole)
    assert spool.read(0, HEAD).data == whole[:HEAD]
    assert spool.read(max(HEAD, len(whole) - TAIL), 100).data == whole[max(HEAD, len(whole) - TAIL) :]
    spool.close()
