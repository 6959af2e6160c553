"""A command's output on the server's disk: its beginning and its end for certain, and how much was dropped between.

A stream lies in files of one size, numbered: what is dropped is a file less, and a folder's listing alone says what is
there, so whatever ended the server that wrote it, the next one reads it.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

SEGMENT_BYTES = 256 << 10
HEAD_SEGMENTS, TAIL_SEGMENTS = 96, 32  # 24 MB and 8 MB of each stream: what one job keeps at most
FLOOR_SEGMENTS = 1  # of either end, that no shortage of room takes; the end has the one being written beside it


@dataclass(frozen=True, slots=True)
class Slice:
    """Bytes from `offset`; `next_offset` goes on from there. skipped: bytes before `offset` that are not kept."""

    data: bytes
    offset: int
    next_offset: int
    skipped: int = 0


class Spool:
    """One stream. Of what does not fit the middle is dropped: the segments from `gap.start` up to `gap.stop`."""

    def __init__(self, path: Path, make_room: Callable[[], None] = lambda: None, segment: int = SEGMENT_BYTES) -> None:
        """`make_room` is called whenever it is about to grow by a segment."""
        self._path, self._make_room, self._segment = path, make_room, segment
        self._handle = -1  # of the last segment, while it is written
        self._tail = TAIL_SEGMENTS
        self._gap = range(HEAD_SEGMENTS, HEAD_SEGMENTS)
        self.total = 0

    @classmethod
    def reopen(cls, path: Path, make_room: Callable[[], None] = lambda: None, segment: int = SEGMENT_BYTES) -> "Spool":
        """What another server kept, as it lies there; nothing more is written to it."""
        spool = cls(path, make_room, segment)
        numbers = sorted(_numbers(path))
        if numbers:
            last = numbers[-1]
            spool.total = last * segment + spool._file(last).stat().st_size
            head = next((place for place, number in enumerate(numbers) if place != number), len(numbers))
            if head < len(numbers):
                spool._gap = range(head, numbers[head])
        return spool

    # --- writing -----------------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Append. Raises OSError where the disk takes no more; what was written before that is kept."""
        view = memoryview(data)
        while view:
            number, place = divmod(self.total, self._segment)
            if self._handle < 0:
                self._begin(number)
            written = os.pwrite(self._handle, view[: self._segment - place], place)
            self.total += written
            view = view[written:]
            if self.total % self._segment == 0:
                self.end()

    def _begin(self, number: int) -> None:
        self._make_room()
        self._handle = os.open(self._file(number), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        while number - self._gap.stop > self._tail:
            self._drop_oldest_of_tail()

    def end(self) -> None:
        """Nothing more comes for now: no descriptor is held."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def keep_at_most(self, size: int) -> None:
        """A narrower bound, in bytes, before anything is written; beginning and end stay guaranteed beneath it too."""
        segments = min(size // self._segment, HEAD_SEGMENTS + TAIL_SEGMENTS)
        self._tail = max(FLOOR_SEGMENTS, segments // 4)
        head = max(FLOOR_SEGMENTS, segments - self._tail)
        self._gap = range(head, head)

    # --- giving way --------------------------------------------------------------------------------------------------

    @property
    def kept(self) -> int:
        """Bytes on the disk."""
        return self.total - self.dropped

    @property
    def dropped(self) -> int:
        """Bytes between head and tail that are gone."""
        return len(self._gap) * self._segment

    def give_way(self) -> bool:
        """Drop one segment of the middle; False where only the guaranteed beginning and end are left."""
        last = self.total // self._segment
        if not self._gap and last <= self._gap.start:  # all of it is there still: the hole starts in the middle
            middle = max(FLOOR_SEGMENTS, last // 2)
            self._gap = range(middle, middle)
        head, tail = self._gap.start - FLOOR_SEGMENTS, last - self._gap.stop - FLOOR_SEGMENTS
        if max(head, tail) <= 0:
            return False
        if tail >= head:
            self._drop_oldest_of_tail()
        else:
            self._gap = range(self._gap.start - 1, self._gap.stop)
            self._file(self._gap.start).unlink(missing_ok=True)
        return True

    def _drop_oldest_of_tail(self) -> None:
        self._file(self._gap.stop).unlink(missing_ok=True)
        self._gap = range(self._gap.start, self._gap.stop + 1)

    # --- reading -----------------------------------------------------------------------------------------------------

    def read(self, offset: int, limit: int) -> Slice:
        """Up to `limit` bytes from `offset`; a dropped range is stepped over and counted in `skipped`."""
        start = min(offset, self.total)
        skipped = 0
        if start // self._segment in self._gap:
            skipped = self._gap.stop * self._segment - start
            start += skipped
        data = bytearray()
        while len(data) < limit and start + len(data) < self.total:
            number, place = divmod(start + len(data), self._segment)
            if number in self._gap:
                break
            piece = self._read_segment(number, place, limit - len(data))
            if not piece:  # somebody emptied the folder: what is gone is not made up
                break
            data += piece
        return Slice(bytes(data), start, start + len(data), skipped)

    def _read_segment(self, number: int, place: int, limit: int) -> bytes:
        try:
            handle = os.open(self._file(number), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return b""
        try:
            return os.pread(handle, limit, place)
        finally:
            os.close(handle)

    # --- life --------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Give the disk back."""
        self.end()
        for number in _numbers(self._path) if self.total else ():  # most commands say nothing on one of them
            self._file(number).unlink(missing_ok=True)

    def _file(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def _numbers(path: Path) -> Iterator[int]:
    """The segments that are there."""
    pattern = re.compile(rf"{re.escape(path.name)}\.(\d+)")
    entries = path.parent.iterdir() if path.parent.is_dir() else ()
    return (int(found[1]) for entry in entries if (found := pattern.fullmatch(entry.name)))
