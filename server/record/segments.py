"""The files of one audit: the one that is written, and beside it those that were closed, each named by its first line."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO


@dataclass(frozen=True, slots=True)
class Segments:
    """audit.jsonl is written; audit-000000000001.jsonl is older and begins with line 1."""

    current: Path

    def named(self, first: int) -> Path:
        return self.current.with_name(f"{self.current.stem}-{first:012d}{self.current.suffix}")

    def closed(self) -> list[Path]:
        """Oldest first."""
        pattern = re.compile(rf"{re.escape(self.current.stem)}-\d{{12}}{re.escape(self.current.suffix)}")
        try:
            return sorted(path for path in self.current.parent.iterdir() if pattern.fullmatch(path.name))
        except FileNotFoundError:
            return []

    def opened(self) -> Iterator[IO[bytes]]:
        """Each in turn, oldest first, also one that is closed while we read; none where there is no audit."""
        done: set[Path] = set()
        while True:
            more = [path for path in self.closed() if path not in done]
            path = more[0] if more else self.current
            try:
                file = path.open("rb")
            except FileNotFoundError:  # removed, or closed and the next not yet begun: else there is none
                if not more and set(self.closed()) <= done:
                    return
                continue
            with file:
                if more:
                    done.add(path)
                elif not set(self.closed()) <= done:  # it has just been closed, and what we have is the next
                    continue
                yield file
            if not more:
                return

    def keep_aside(self, sequence: int, data: bytes) -> Path:
        """What was no line any more, in a file of its own."""
        for attempt in range(100):
            path = self.current.with_name(f"{self.current.stem}.torn-{sequence:012d}-{attempt}")
            try:
                file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            except FileExistsError:
                continue
            try:
                with os.fdopen(file, "wb") as aside:
                    aside.write(data)
                    aside.flush()
                    os.fdatasync(aside.fileno())
            except OSError:
                path.unlink()
                raise
            return path
        raise OSError(f"{self.current.parent} is full of torn ends")
