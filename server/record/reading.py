"""Reading the audit back: every line of every file, and whether the chain holds."""

import fcntl
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from server.record.chain import Anchor, BrokenChain, Head, digest_of
from server.record.segments import Segments

WALKS: Final = 5  # of one who verifies, where each time a file was removed meanwhile


@dataclass(frozen=True, slots=True)
class Verified:
    """An unbroken chain: its first line's number, how many lines were walked, in how many files, where it stands, and how
    many anchors are about lines that the settings had removed."""

    first: int
    count: int
    files: int
    head: Head
    past: int


def lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every line with its number, also from files that were closed; one that is none is told as of kind "unreadable"."""
    number = 0
    for file in Segments(path).opened():
        for raw in _whole(file):
            number += 1
            try:
                line = json.loads(raw)
            except ValueError:
                line = None
            if isinstance(line, dict):
                number = line["sequence"] if isinstance(line.get("sequence"), int) else number
                yield number, line
            elif raw.strip():
                yield number, {"kind": "unreadable", "line": number, "text": raw.decode("utf-8", "replace").strip()}


def verify(path: Path, against: Sequence[Anchor] = ()) -> Verified:
    """Walk the chain through all of its files. Raises BrokenChain at the first line that does not fit, which it names by
    file and line there, or for an anchor that no line fits.

    Where the oldest file went meanwhile, as the settings have it, nothing is amiss yet: it is walked anew.
    """
    for _ in range(WALKS - 1):
        before = Segments(path).closed()
        try:
            return _walked(path, against)
        except BrokenChain:
            if before[:1] == Segments(path).closed()[:1]:
                raise
    return _walked(path, against)


def _walked(path: Path, against: Sequence[Anchor]) -> Verified:
    walk = _Walk(set(against))
    for file in Segments(path).opened():
        walk.files += 1
        for row, raw in enumerate(_whole(file), 1):
            try:
                walk.step(raw)
            except BrokenChain as exc:
                raise BrokenChain(f"{file.name}:{row}: {exc}") from exc
    past = walk.end()
    return Verified(walk.first, walk.count, walk.files, walk.head, past)


def _whole(file: IO[bytes]) -> Iterator[bytes]:
    """Its lines; only what a crash left is cut short. Of a line that lies on two pages a reader may see the first while a
    server writes the second: whoever writes holds the lock."""
    while raw := file.readline():
        if not raw.endswith(b"\n"):
            at = file.tell() - len(raw)
            fcntl.flock(file, fcntl.LOCK_SH)
            file.seek(at)  # it may have been taken back as well
            raw = file.readline()
            fcntl.flock(file, fcntl.LOCK_UN)
        if raw:
            yield raw


@dataclass
class _Walk:
    anchors: set[Anchor]
    head: Head = field(default_factory=Head)
    first: int = 0
    count: int = 0
    files: int = 0
    removed: set[Head] = field(default_factory=set)  # what lines say of files that the settings had removed
    found: set[Anchor] = field(default_factory=set)
    begins_after: Head | None = None

    def step(self, raw: bytes) -> None:
        expected, line = self.head.sequence + 1, raw.rstrip(b"\n")
        if line == raw:
            raise BrokenChain(f"line {expected} was cut short; the next server sets it aside and says so")
        try:
            document = json.loads(line)
            previous, sequence, kind = document["previous"], document["sequence"], document["kind"]
            when = str(document["time"])
        except (ValueError, KeyError, TypeError) as exc:
            raise BrokenChain(f"line {expected} is not a line of the audit") from exc
        if not self.count and sequence != 1:
            self.begins_after = self.head = Head(sequence - 1, previous)
            expected = sequence
        if (previous, sequence) != (self.head.digest, expected):
            raise BrokenChain(
                f"line {expected} does not continue line {self.head.sequence}: something between was changed or cut"
            )
        self.first = self.first or sequence
        self.head, self.count = Head(sequence, digest_of(line), when), self.count + 1
        self._note(kind, document)

    def _note(self, kind: str, document: dict[str, Any]) -> None:
        if kind == "audit.removed":
            self.removed.add(Head(document["through"], document["digest"]))
        if self.anchors:
            told = {Anchor(self.head.digest, self.head.sequence), Anchor(self.head.digest)}
            self.found |= told & self.anchors

    def end(self) -> int:
        """How many anchors are about what is not there any more, and rightly so."""
        if self.begins_after is not None and not any(map(self._covers, self.removed)):
            raise BrokenChain(
                f"the first line is {self.first}; what was before it is missing, and no line says that it was removed"
            )
        missed = sorted(self.anchors - self.found, key=lambda anchor: anchor.sequence or 0)
        return sum(self._is_past(anchor) for anchor in missed)

    def _covers(self, removed: Head) -> bool:
        """Whether what is missing was to go; of several files that go, some may be there still."""
        return self.begins_after == removed or (
            self.begins_after is not None and removed.sequence > self.begins_after.sequence
        )

    def _is_past(self, anchor: Anchor) -> bool:
        """Raises BrokenChain for one about a line that should be there."""
        if anchor.sequence is None:
            raise BrokenChain(f"no line has the digest {anchor.digest}: the audit was written anew, or is another's")
        if anchor.sequence > self.head.sequence:
            raise BrokenChain(
                f"the anchor knows line {anchor.sequence}, the audit ends at line {self.head.sequence}: its end was cut"
            )
        if anchor.sequence >= self.first:
            raise BrokenChain(
                f"line {anchor.sequence} is not the one that the anchor knows: the audit was written anew"
            )
        return True
