"""The audit as it is followed: each line once, in order, through the files that are closed meanwhile.

Who follows needs no memory of what is still to be sent and costs no call anything: the files are the backlog.
"""

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from server.record.segments import Segments

_SEQUENCE: Final = re.compile(rb'\{"sequence":(\d{1,18}),')


@dataclass(frozen=True, slots=True)
class Line:
    """One line, as it stands in the file and as it is read."""

    raw: bytes
    document: Mapping[str, Any]

    @property
    def sequence(self) -> int:
        return int(self.document["sequence"])


@dataclass(frozen=True, slots=True)
class Gap:
    """Lines that are passed over, and why."""

    first: int
    last: int
    reason: str

    @property
    def lines(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Place:
    """A byte of a file, which is known by its inode."""

    file: int = 0
    offset: int = 0


@dataclass
class Trail:
    """Goes on after line `sequence`. Not for two threads at once."""

    path: Path
    sequence: int = 0
    place: Place = Place()
    _file: IO[bytes] | None = field(default=None, init=False)

    def next(self, most: int, backlog_bytes: int) -> tuple[list[Line], list[Gap]]:
        """The next lines that there are, `most` at most. Where more than the backlog waits, the older half is passed over."""
        found, gaps = list[Line](), list[Gap]()
        if gap := self._shed(backlog_bytes):
            gaps.append(gap)
        while len(found) < most and (line := self._line()):
            if line.sequence > self.sequence + 1:
                gaps.append(Gap(self.sequence + 1, line.sequence - 1, "their files are gone"))
            found.append(line)
            self.sequence = line.sequence
        if self._file is not None:
            self.place = Place(os.fstat(self._file.fileno()).st_ino, self._file.tell())
        return found, gaps

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    # --- the files ---------------------------------------------------------------------------------------------------

    def _line(self) -> Line | None:
        while raw := self._raw():
            numbered = _SEQUENCE.match(raw)
            if numbered is None or int(numbered[1]) <= self.sequence:
                continue  # sent already; or no line, which whoever writes next sets aside and says so
            with suppress(ValueError):
                return Line(raw.rstrip(b"\n"), json.loads(raw))
        return None

    def _raw(self) -> bytes:
        """The next whole line, or nothing yet."""
        while True:
            file = self._opened()
            if file is None:
                return b""
            at = file.tell()
            if os.fstat(file.fileno()).st_size < at:
                self.close()  # an end that was no line was cut away
                continue
            raw = file.readline()
            if raw.endswith(b"\n"):
                return raw
            file.seek(at)
            if raw or self._is_last(file):
                return b""
            self.close()

    def _opened(self) -> IO[bytes] | None:
        """The file that the next line is in: the last of those that begin no later."""
        if self._file is None:
            newest = _opened(
                self.path
            )  # before the closed ones are listed: it stays the one even if it is closed meanwhile
            path = self._closed()
            if path is None:
                self._file = newest
                if newest is not None and _last_of(newest) < self.sequence:
                    self.sequence = 0  # lines that were told are gone: this is another chain, or an older state
            else:
                self._file = _opened(path)
                if newest is not None:
                    newest.close()
            if self._file is not None:
                self._go_where_it_was(self._file)
        return self._file

    def _closed(self) -> Path | None:
        """That of the closed ones which the next line is in."""
        every = Segments(self.path).closed()
        begun = [path for path in every if int(path.stem[-12:]) <= self.sequence + 1]
        for path in begun[-1:]:
            if (file := _opened(path)) is not None:
                with file:
                    if _last_of(file) > self.sequence:
                        return path
        return next((path for path in every if path not in begun), None)

    def _go_where_it_was(self, file: IO[bytes]) -> None:
        """Large files are not read anew from their beginning by each server that starts."""
        there = os.fstat(file.fileno())
        if there.st_ino == self.place.file and self.place.offset <= there.st_size:
            file.seek(self.place.offset)
            following = file.readline()
            numbered = _SEQUENCE.match(following)
            held = numbered is not None and int(numbered[1]) == self.sequence + 1
            file.seek(self.place.offset if held or not following else 0)

    def _is_last(self, file: IO[bytes]) -> bool:
        """Whether it is still the one that is written."""
        try:
            return self.path.stat().st_ino == os.fstat(file.fileno()).st_ino
        except FileNotFoundError:
            return True

    # --- too much ----------------------------------------------------------------------------------------------------

    def waiting_bytes(self) -> int:
        file = self._opened()
        if file is None:
            return 0
        rest = os.fstat(file.fileno()).st_size - file.tell()
        own = os.fstat(file.fileno()).st_ino
        later = [path for path in Segments(self.path).closed() if int(path.stem[-12:]) > self.sequence + 1]
        others = [info for path in (*later, self.path) if (info := _looked_at(path)) and info.st_ino != own]
        return rest + sum(info.st_size for info in others)

    def _shed(self, backlog_bytes: int) -> Gap | None:
        waiting = self.waiting_bytes()
        if waiting <= backlog_bytes:
            return None
        first, to_pass = self.sequence + 1, waiting - backlog_bytes // 2
        while to_pass > 0 and (raw := self._raw()):
            to_pass -= len(raw)
            if numbered := _SEQUENCE.match(raw):
                self.sequence = max(self.sequence, int(numbered[1]))
        return Gap(first, self.sequence, "more waited than the backlog holds") if self.sequence >= first else None


def _opened(path: Path) -> IO[bytes] | None:
    try:
        return path.open("rb")
    except FileNotFoundError:
        return None


def _looked_at(path: Path) -> os.stat_result | None:
    """None where it was closed, or removed, since it was listed."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _last_of(file: IO[bytes]) -> int:
    """The number of a file's last line. It is read from its beginning afterwards."""
    file.seek(max(0, os.fstat(file.fileno()).st_size - (1 << 16)))
    numbers = [int(found[1]) for line in file.read().split(b"\n") if (found := _SEQUENCE.match(line))]
    file.seek(0)
    return max(numbers, default=1 << 62)
