"""A command's output on the server's disk: its beginning and its end for certain, and how much was dropped between."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Slice:
    """Bytes from `offset`; `next_offset` goes on from there. skipped: bytes before `offset` that are not kept."""

    data: bytes
    offset: int
    next_offset: int
    skipped: int = 0


class Spool:
    """One stream. The first `head_bytes` stay; of the rest the last `tail_bytes`, in a second file used as a ring."""

    def __init__(self, path: Path, head_bytes: int, tail_bytes: int) -> None:
        self._path, self._head_bytes, self._tail_bytes = path, head_bytes, tail_bytes
        self._head = self._tail = -1  # made when there is something to keep: most commands say little, many nothing
        self.total = 0

    def write(self, data: bytes) -> None:
        room = self._head_bytes - self.total
        if self._head < 0:
            self._head = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        if room > 0:
            os.pwrite(self._head, data[:room], self.total)
        self._write_ring(data[max(0, room) :], max(self.total, self._head_bytes))
        self.total += len(data)

    def _write_ring(self, data: bytes, position: int) -> None:
        if not data:
            return
        if self._tail < 0:
            self._tail = os.open(f"{self._path}.tail", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        kept = data[-self._tail_bytes :]
        position += len(data) - len(kept)
        while kept:
            place = (position - self._head_bytes) % self._tail_bytes
            piece = kept[: self._tail_bytes - place]
            os.pwrite(self._tail, piece, place)
            kept, position = kept[len(piece) :], position + len(piece)

    @property
    def dropped(self) -> int:
        """Bytes between head and tail that are gone."""
        return max(0, self.total - self._head_bytes - self._tail_bytes)

    @property
    def _tail_start(self) -> int:
        return max(self._head_bytes, self.total - self._tail_bytes)

    def read(self, offset: int, limit: int) -> Slice:
        """Up to `limit` bytes from `offset`; a dropped range is stepped over and counted in `skipped`."""
        if self._head < 0:
            return Slice(b"", 0, 0)
        if offset < self._head_bytes:
            data = os.pread(self._head, min(limit, self._head_bytes - offset), offset)
            return Slice(data, offset, offset + len(data))
        start = min(max(offset, self._tail_start), self.total)
        data = b""
        while len(data) < limit and start + len(data) < self.total:
            place = (start + len(data) - self._head_bytes) % self._tail_bytes
            wanted = min(limit - len(data), self._tail_bytes - place, self.total - start - len(data))
            data += os.pread(self._tail, wanted, place)
        return Slice(data, start, start + len(data), skipped=start - min(offset, start))

    def close(self) -> None:
        """Give the disk back."""
        for handle, path in ((self._head, self._path), (self._tail, Path(f"{self._path}.tail"))):
            if handle >= 0:
                os.close(handle)
                path.unlink(missing_ok=True)
        self._head = self._tail = -1
