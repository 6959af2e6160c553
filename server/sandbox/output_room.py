"""How much of its commands' output one session keeps on the server's disk, and which of it gives way."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from server.sandbox.spool import SEGMENT_BYTES, Spool


class Holder(Protocol):
    """A job, as far as room is concerned."""

    @property
    def over(self) -> bool: ...

    @property
    def streams(self) -> Mapping[str, Spool]: ...


class OutputRoom:
    """`most_bytes` for all jobs of a session together. The middle of the oldest that is over gives way first; where only
    running ones are left, the largest. Beginnings and ends stay: they are the part that is guaranteed."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._holders: list[Holder] = []

    def enter(self, holder: Holder) -> None:
        self._holders.append(holder)

    def leave(self, holder: Holder) -> None:
        self._holders = [other for other in self._holders if other is not holder]

    @property
    def used(self) -> int:
        return sum(spool.kept for holder in self._holders for spool in holder.streams.values())

    def make(self) -> None:
        """Room for one more segment, as far as anything can give way."""
        while self.used + SEGMENT_BYTES > self._most:
            if not any(spool.give_way() for spool in self._in_turn()):
                return

    def shed(self, size: int) -> int:
        """Give up so many bytes of what is over, as far as that goes; how many it was."""
        before = self.used
        while before - (used := self.used) < size:
            if not any(
                spool.give_way() for holder in self._holders if holder.over for spool in holder.streams.values()
            ):
                return before - used
        return before - used

    def _in_turn(self) -> Iterator[Spool]:
        for holder in self._holders:
            if holder.over:
                yield from sorted(holder.streams.values(), key=lambda spool: -spool.kept)
        running = [spool for holder in self._holders if not holder.over for spool in holder.streams.values()]
        yield from sorted(running, key=lambda spool: -spool.kept)
