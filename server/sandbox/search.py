"""Searching a sandbox's files: what is asked, and what its agent's child found, taken apart with care.

The child runs as uid 1000, so what it says is the sandbox's word: bounded, checked for shape, and of each path the
caller asks the policy before a line of it is shown.
"""

import itertools
import json
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from policy.verdict import Permit
from server.sandbox.pattern import Pattern
from server.sandbox.sandbox import FileRefused, Found, Sandbox, SandboxLost

PATIENCE_S = 20.0  # of the search itself
MOST_JUDGED = 500  # files with matches, or folders with names in them: each is a question to the policy
MOST_GLOB = 1000
MOST_COUNTED = 1 << 62
_HALF = re.compile("[\ud800-\udc7f\udd00-\udfff]")
SPARE = 200  # lines or names more than asked for: some may not be shown

type Ending = Literal["whole", "enough", "judged", "time", "memory", "broken"]


@dataclass(frozen=True, slots=True)
class Query:
    """Lines that match the pattern, or names where there is none, of files that match the glob; `limit` of them."""

    pattern: Pattern | None
    glob: str | None
    limit: int

    def message(self) -> dict[str, Any]:
        return {
            "rust": self.pattern.rust if self.pattern else "",
            "python": self.pattern.python if self.pattern else "",
            "glob": self.glob or "",
            "most": 2 * self.limit + SPARE,
            "patience_s": PATIENCE_S,
        }


def is_text(name: str) -> bool:
    """Whether a name that came from bytes is Unicode."""
    return name.isascii() or not any("\ud800" <= char <= "\udfff" for char in name)


def checked_glob(glob: str) -> str:
    """Raises FileRefused for what no path can match, with what to write."""
    try:
        glob.encode()
    except UnicodeEncodeError as exc:
        raise FileRefused("glob holds half a surrogate pair, which is no character") from exc
    if not glob.strip("!/"):
        raise FileRefused("glob is empty; leave it out, or write such as *.py or src/**")
    if "[" in glob and "]" not in glob.rpartition("[")[2]:
        raise FileRefused("glob has a [ that is never closed; \\[ means the character itself")
    if len(glob) > MOST_GLOB:
        raise FileRefused(f"glob is longer than {MOST_GLOB} characters; search a folder nearer to the files")
    if ".." in glob.split("/"):
        raise FileRefused("glob looks below path only; give the folder itself as path")
    return glob


@dataclass(frozen=True, slots=True)
class Line:
    number: int
    text: str
    matches: bool


@dataclass(frozen=True, slots=True)
class Hit:
    """A file, with its lines that match and those around them; none where names were asked for."""

    path: str
    lines: tuple[Line, ...] = ()
    is_link: bool = False


@dataclass(frozen=True, slots=True)
class Searched:
    """What was found, in the order of paths, and how it ended. `at` is the path where it stopped early.

    judged: at the first that is one more than are judged.
    """

    hits: tuple[Hit, ...]
    end: Ending = "broken"
    at: str = ""
    large: int = 0
    larges: tuple[str, ...] = field(default=())
    binary: int = 0
    unread: int = 0
    error: str = ""
    unspeakable: int = 0  # files whose names are no text: no policy can be asked about them

    def judgeable(self) -> "Searched":
        """With no more of what is judged than can be, and only such."""
        spoken = [hit for hit in self.hits if is_text(hit.path)]
        judged = dict.fromkeys(map(judged_by, spoken))
        unspeakable = len(self.hits) - len(spoken)
        if len(judged) <= MOST_JUDGED:
            return replace(self, hits=tuple(spoken), unspeakable=unspeakable)
        beyond = list(judged)[MOST_JUDGED]
        kept = tuple(itertools.takewhile(lambda hit: judged_by(hit) != beyond, spoken))
        return replace(self, hits=kept, end="judged", at=spoken[len(kept)].path, unspeakable=unspeakable)


def judged_by(hit: Hit) -> str:
    """Whose reading shows the lines, or whose listing the name."""
    return hit.path if hit.lines else posixpath.dirname(hit.path)


async def search(sandbox: Sandbox, permit: Permit, found: Found, query: Query) -> Searched:
    """What lies below the opened path. Raises FileRefused where it cannot be searched, with what to do."""
    return searched(await sandbox.search(permit, found, query.message()), found.real)


def searched(said: bytes, root: str) -> Searched:
    """From the child's lines of JSON. A last one that is missing means that it did not end by itself."""
    try:
        messages = [json.loads(line) for line in said.split(b"\n") if line]
        hits = tuple(_hits(messages, root))
        return _ended(messages[-1], hits) if messages and "end" in messages[-1] else Searched(hits)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        raise SandboxLost("the search's answer made no sense") from exc


def _hits(messages: list[dict[str, Any]], root: str) -> Iterator[Hit]:
    below = root.rstrip("/") + "/"
    for message in messages:
        path = message.get("path")
        if path is None:
            continue
        if not isinstance(path, str) or (path != root and not path.startswith(below)) or "/../" in f"{path}/":
            raise ValueError("a path outside of what was searched")
        lines = tuple(Line(_count(n), _text(text), matches == 1) for n, text, matches in message.get("lines", []))
        yield Hit(path, lines, message.get("link") is True)


def _ended(last: dict[str, Any], hits: tuple[Hit, ...]) -> Searched:
    ends: dict[str, Ending] = {"whole": "whole", "enough": "enough", "time": "time", "memory": "memory"}
    larges = tuple(_text(path) for path in last["larges"])[:3]
    counts = _count(last["large"]), larges, _count(last["binary"]), _count(last["unread"])
    return Searched(hits, ends[last["end"]], _text(last["at"]), *counts, _text(last["error"])[:300])


def _count(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value < MOST_COUNTED:
        raise TypeError("no count of files or lines")
    return value


def _text(value: object) -> str:
    """As it can be shown: half a character, which JSON can spell, is none. Bytes that are no UTF-8 stay what they are."""
    return _HALF.sub("?", str(value))
