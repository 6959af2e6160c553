"""The chain of the audit: what one line is, what the next repeats of it, and where the whole stands."""

import hashlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

GENESIS: Final = "0" * 64
_ENCODE: Final = json.JSONEncoder(separators=(",", ":"), default=str).encode
_PRINTED: Final = re.compile(r"\b(\d{1,18}) ([0-9a-f]{64})\b")


class BrokenChain(Exception):
    """A line of the audit is missing, changed or out of order."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain stands: how many lines it has, the sha256 of the last, and when that was written."""

    sequence: int = 0
    digest: str = GENESIS
    time: str = "-"

    def __str__(self) -> str:
        return f"{self.sequence} {self.digest} {self.time}"


@dataclass(frozen=True, slots=True)
class Anchor:
    """What somebody wrote down elsewhere: this line had this digest. Without a number: some line had it."""

    digest: str
    sequence: int | None = None


def digest_of(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def encoded(document: Mapping[str, Any]) -> bytes:
    return _ENCODE(document).encode()


def head_of(line: bytes) -> Head | None:
    """The head that a chain has after this line; none where it is no line of one."""
    try:
        document = json.loads(line)
        return Head(int(document["sequence"]), digest_of(line), str(document["time"])) if document["previous"] else None
    except (ValueError, KeyError, TypeError):
        return None


def anchors(text: str) -> list[Anchor]:
    """Every anchor in a text: what `audit head` or a server's log printed, or lines of the audit that were sent elsewhere."""
    found = [anchor for line in text.splitlines() for anchor in _anchors(line)]
    return found or [Anchor(text.strip())] if re.fullmatch(r"[0-9a-f]{64}", text.strip()) else found


def _anchors(line: str) -> list[Anchor]:
    """A line that was sent on stands for itself, and repeats the digest of the one before it."""
    start = line.find("{")
    whole = line[start:].encode() if start >= 0 else b""
    if head := head_of(whole):
        before = [Anchor(json.loads(whole)["previous"], head.sequence - 1)] if head.sequence > 1 else []
        return [*before, Anchor(head.digest, head.sequence)]
    return [Anchor(digest, int(sequence)) for sequence, digest in _PRINTED.findall(line)]


class Clock:
    """Times as lines have them, in UTC with microseconds; what one second has in common is written once."""

    def __init__(self) -> None:
        self._second, self._text = -1, ""

    def stamp(self, now: float) -> str:
        second = int(now)
        if second != self._second:
            self._second, self._text = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._text}.{int((now - second) * 1e6):06d}Z"
