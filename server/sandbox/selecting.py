"""Which changes come back: what a person chose by glob, less what makes a host run code unless that was named."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from server.sandbox.changes import Change
from server.sandbox.host_code import leads_out, reasons

MAX_GLOB: Final = 1_024
_ONE: Final = re.compile(r"\*|\?|[^*?]+")


class BadGlob(Exception):
    """A glob of --only cannot be used."""


@dataclass(frozen=True, slots=True)
class Selection:
    """held: what was chosen and yet stays, with the reason."""

    chosen: tuple[Change, ...] = ()
    held: dict[str, str] = field(default_factory=dict)


def select(
    changes: Sequence[Change], repositories: frozenset[str], only: Sequence[str], obeyed: frozenset[str] = frozenset()
) -> Selection:
    """repositories: folders that git would take for one, whatever they are called. obeyed: what the settings of the host's
    own one name. Raises BadGlob."""
    globs = [_parts(glob) for glob in only]
    chosen, held = list[Change](), dict[str, str]()
    for change in changes:
        parts = change.path.split("/")
        matching = [glob for glob in globs if _matches(glob, parts)]
        if globs and not matching:
            continue
        named = {part for glob in matching for part in glob}
        if why := _held(change, named, repositories, obeyed):
            held[change.path] = why
        else:
            chosen.append(change)
    return Selection(tuple(chosen), held)


def _held(change: Change, named: set[str], repositories: frozenset[str], obeyed: frozenset[str]) -> str:
    missing = [part for part in reasons(change.path) if part not in named]
    if missing:
        return f"a host runs what is in {missing[-1]}"
    inside = next((folder for folder in _with_above(change.path) if folder in repositories), None)
    if inside is not None and change.now is not None and inside.rpartition("/")[2] not in named | {".git"}:
        return f"git takes {inside or 'the folder'} for a repository and obeys its config"
    place = next((path for path in (*_with_above(change.path), change.path) if path in obeyed), None)
    if place is not None and change.now is not None and place.rpartition("/")[2] not in named:
        return f"git obeys or runs {place} here: .git/config names it"
    if change.now is not None and change.now.kind == "link" and leads_out(change.path, change.now.content):
        return "" if change.path.rpartition("/")[2] in named else f"it is a link to {change.now.content}, outside"
    return ""


def _with_above(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[:count]) for count in range(len(parts) + 1)]


# --- globs -------------------------------------------------------------------------------------------------------------


def _parts(glob: str) -> tuple[str, ...]:
    """A glob without a slash means that name anywhere; one that ends in a folder means all in it."""
    text = glob.strip("/").removeprefix("./")
    if not text or len(glob) > MAX_GLOB:
        raise BadGlob(f"--only {glob!r:.80} names nothing: write src/**, *.py or docs/a.md")
    return tuple(text.split("/")) if "/" in text or glob.endswith("/") else ("**", text)


def _matches(glob: tuple[str, ...], parts: list[str]) -> bool:
    """Whether it matches the path or a folder that the path lies in. Only the last `**` is tried again."""
    place, at, after_stars, tried = 0, 0, -1, 0
    while place < len(glob):
        if glob[place] == "**":
            after_stars, tried, place = place + 1, at, place + 1
            if place == len(glob):
                return at < len(parts)
        elif at < len(parts) and _fits(glob[place], parts[at]):
            place, at = place + 1, at + 1
        elif after_stars >= 0 and tried < len(parts):
            tried += 1
            place, at = after_stars, tried
        else:
            return False
    return True


def _fits(word: str, name: str) -> bool:
    """`*` and `?` in one name, without backtracking into an earlier star."""
    pieces = [".*" if piece == "*" else "." if piece == "?" else re.escape(piece) for piece in _ONE.findall(word)]
    text = "".join(pieces)
    first, *rest = text.split(".*")
    if not rest:
        return re.fullmatch(text, name, re.DOTALL) is not None
    *middle, last = rest
    pattern = first + "".join(f"(?>.*?{part})" for part in middle if part) + ".*" + last
    return re.fullmatch(pattern, name, re.DOTALL) is not None
