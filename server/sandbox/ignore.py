"""Which names git would ignore: `.gitignore` files, nested, with negation, as git's own wildmatch reads them.

Patterns come from a folder that may be a stranger's clone, and are matched against names that an agent may have chosen:
so each pattern becomes a regular expression that never backtracks into an earlier star, and each file of them is
bounded. A library whose stars backtrack could be made to work for hours.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

FILE: Final = ".gitignore"
MAX_BYTES: Final = 256 << 10  # of one file; what follows is not read
MAX_PATTERNS: Final = 2_000
MAX_LENGTH: Final = 1_024  # characters of one pattern
_CLASSES: Final = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": " \\t",
    "digit": "0-9",
    "lower": "a-z",
    "punct": "!-/:-@\\[-`{-~",
    "space": "\\s",
    "upper": "A-Z",
    "xdigit": "0-9a-fA-F",
}

type Matches = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line. `segments` is what each part of a path must match, None for `**`; a floating one matches any last part."""

    segments: tuple[Matches | None, ...]
    floating: bool
    negated: bool
    folders_only: bool

    def matches(self, parts: tuple[str, ...], *, is_folder: bool) -> bool:
        if self.folders_only and not is_folder:
            return False
        if self.floating:
            wanted = self.segments[0]
            return wanted is not None and bool(wanted(parts[-1]))
        return _fits(self.segments, parts)


def patterns(content: bytes) -> tuple[Pattern, ...]:
    """The lines of one file that mean something, in its order. Its mark of UTF-8, if any, and carriage returns are none of it."""
    text = content[:MAX_BYTES].decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    return tuple(found for line in lines[:MAX_PATTERNS] if (found := _pattern(line)) is not None)


def _pattern(line: str) -> Pattern | None:
    text = _without_trailing_spaces(line)
    if not text or text.startswith("#") or len(text) > MAX_LENGTH:
        return None
    negated = text.startswith("!")
    text = text.removeprefix("!") if negated else text
    folders_only = text.endswith("/")
    text = text.removesuffix("/")
    floating = "/" not in text
    words = [word for word in text.removeprefix("/").split("/") if word]
    if not words:
        return None
    made: list[Matches | None] = []
    for word in words:
        if word == "**" and not floating:
            made.append(None)
        elif (matcher := _segment(word)) is not None:
            made.append(matcher)
        else:
            return None
    return Pattern(tuple(made), floating, negated, folders_only)


def _without_trailing_spaces(line: str) -> str:
    stripped = line.rstrip(" ")
    cut = len(line) - len(stripped)
    escapes = len(stripped) - len(stripped.rstrip("\\"))
    return stripped + " " if cut and escapes % 2 else stripped


def _fits(segments: tuple[Matches | None, ...], parts: tuple[str, ...]) -> bool:
    """`**` stands for any number of folders, at the end for at least one thing below. Only the last `**` is tried again."""
    place, at, after_stars, tried = 0, 0, -1, 0
    while at < len(parts):
        wanted = segments[place] if place < len(segments) else None
        if place < len(segments) and wanted is None:
            if place == len(segments) - 1:
                return True
            after_stars, tried, place = place + 1, at, place + 1
        elif wanted is not None and wanted(parts[at]):
            place, at = place + 1, at + 1
        elif after_stars >= 0:
            tried += 1
            place, at = after_stars, tried
        else:
            return False
    return place == len(segments)


# --- one segment -------------------------------------------------------------------------------------------------------


def _segment(word: str) -> Matches | None:
    """None where git would find that it can match nothing: a bracket that does not close, a lone backslash at the end."""
    if not re.search(r"[*?\[\\]", word):
        return word.__eq__
    fixed = [""]
    try:
        for piece in _tokens(word):
            if piece == "*":
                fixed.append("")
            else:
                fixed[-1] += piece
    except (IndexError, re.error):
        return None
    try:
        return re.compile(_joined(fixed), re.DOTALL).fullmatch
    except re.error:
        return None


def _joined(fixed: list[str]) -> str:
    """Each star takes the nearest place where the next fixed part fits and never looks for another: no backtracking."""
    first, *rest = fixed
    if not rest:
        return first
    *middle, last = rest
    return first + "".join(f"(?>.*?{part})" for part in middle if part) + ".*" + last


def _tokens(word: str) -> Iterator[str]:
    at = 0
    while at < len(word):
        letter = word[at]
        if letter == "*":
            yield "*"
        elif letter == "?":
            yield "."
        elif letter == "\\":
            at += 1
            yield re.escape(word[at])
        elif letter == "[":
            at, made = _bracket(word, at + 1)
            yield made
        else:
            yield re.escape(letter)
        at += 1


def _bracket(word: str, at: int) -> tuple[int, str]:
    """The place of the closing bracket and the class as a regular expression. Raises IndexError where none closes."""
    negated = word[at] in "!^"
    at += negated
    made, first = "", True
    while first or word[at] != "]":
        first = False
        named = re.match(r"\[:([a-z]+):\]", word[at:])
        if named and named[1] in _CLASSES:
            made += _CLASSES[named[1]]
            at += named.end()
            continue
        at += word[at] == "\\"
        low = word[at]
        at += 1
        if word[at] == "-" and word[at + 1] != "]":
            at += 1 + (word[at + 1] == "\\")
            made += f"{re.escape(low)}-{re.escape(word[at])}" if low <= word[at] else ""
            at += 1
        else:
            made += re.escape(low)
    if not made:
        return at, "." if negated else "(?!)"
    return at, f"[{'^' if negated else ''}{made}]"


# --- a tree of them ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ignore:
    """What holds in one folder: its own patterns first, then those of the folders above, each with the way down.

    closed: it lies in one that is ignored, so everything in it is, whatever its own files say.
    """

    levels: tuple[tuple[tuple[str, ...], tuple[Pattern, ...]], ...] = ()
    closed: bool = False

    def with_file(self, content: bytes) -> "Ignore":
        """The same folder, with the patterns of its own file."""
        return self if self.closed else Ignore((((), patterns(content)), *self.levels))

    def below(self, name: str) -> "Ignore":
        """What holds in the folder of that name, before its own file is read."""
        return self if self.closed else Ignore(tuple(((*way, name), kept) for way, kept in self.levels if kept))

    def ignores(self, name: str, *, is_folder: bool) -> bool:
        if self.closed:
            return True
        for way, kept in self.levels:
            parts = (*way, name)
            for pattern in reversed(kept):
                if pattern.matches(parts, is_folder=is_folder):
                    return not pattern.negated
        return False
