"""Why an edit's text is not in a file, and what is there instead: the nearest lines and how they differ.

Bounded in all it looks at, and run beside the loop: a file and a text of somebody's choosing are compared here.
"""

import difflib
import heapq
import re
import unicodedata
from collections.abc import Callable

LOOKED_AT = 1 << 20  # characters of the file
MOST_WIDTH = 200  # characters of a line that are compared
COMPARED = 50  # lines, one by one, and those that are likest already: each can take 5 ms
SHOWN = 12  # lines of the region
ALIKE = 0.6  # below this nothing is called near (difflib's own default for close matches)
_NUMBERED = re.compile(r"[ ]*\d+[\t:|→]")
# What word processors and web pages put for plain characters: double and single quotes, dashes, minus, no-break space.
_TYPED = str.maketrans("\u201c\u201d\u2018\u2019\u2013\u2014\u2212\u00a0", "\"\"''--- ")

type Relaxed = Callable[[str], str]


def _plain(line: str) -> str:
    return unicodedata.normalize("NFKC", line.translate(_TYPED))


def _spaceless(line: str) -> str:
    return "".join(line.split())


_ENDINGS = "line endings (some lines end in \\r\\n; write that in old and new)"

# From the smallest difference to the largest: the first that makes the text match names it.
_DIFFERENCES: tuple[tuple[str, Relaxed], ...] = (
    (_ENDINGS, lambda line: line.removesuffix("\r")),
    ("whitespace at the ends of lines", str.rstrip),
    ("indentation", str.strip),
    ("whitespace", _spaceless),
    ("upper and lower case", lambda line: line.removesuffix("\r").casefold()),
    ("quotes, dashes or other characters that look alike", lambda line: _plain(line.removesuffix("\r"))),
    ("whitespace, case and look-alike characters", lambda line: _spaceless(_plain(line)).casefold()),
)


def explain_miss(text: str, old: str) -> str:
    """One sentence of what is near, the region with its line numbers, and the first line that differs."""
    lines = text[:LOOKED_AT].split("\n")
    if _without_numbers(old) in text:
        return "old was not found, but is there without the line numbers; leave them out of old and new"
    if f"{text}\n".endswith(old):
        return (
            f"old was not found: it ends with a newline, and line {text.count(chr(10)) + 1}, the file's last, does not"
        )
    wanted = old.strip("\n").split("\n")
    for difference, relaxed in _DIFFERENCES:
        if (at := _find(lines, wanted, relaxed)) is not None:
            return _said(f"lines that differ only in {difference}", lines, wanted, at)
    at, ratio = _nearest(lines, wanted)
    if ratio < ALIKE:
        looked = "" if len(text) <= LOOKED_AT else f" in its first {LOOKED_AT} characters"
        return f"old was not found, and nothing near it{looked}; read the file and copy the text from it"
    return _said(f"the nearest lines ({ratio:.0%} alike)", lines, wanted, at)


def _without_numbers(old: str) -> str:
    """What a model copied from a numbered reading; the text itself where not every line has a number."""
    lines = old.split("\n")
    return "\n".join(_NUMBERED.sub("", line, count=1) for line in lines) if all(map(_NUMBERED.match, lines)) else old


def _find(lines: list[str], wanted: list[str], relaxed: Relaxed) -> int | None:
    """The line (0-based) where the wanted text begins once both are relaxed; parts of the first and last line count."""
    needle = "\n".join(map(relaxed, wanted))
    if not needle.strip():
        return None
    hay = "\n".join(map(relaxed, lines))
    at = hay.find(needle)
    return None if at < 0 else hay.count("\n", 0, at)


def _nearest(lines: list[str], wanted: list[str]) -> tuple[int, float]:
    """Where the region most like it begins, by its longest line, and how alike the two regions are."""
    place, anchor = max(enumerate(line.strip()[:MOST_WIDTH] for line in wanted[:SHOWN]), key=lambda pair: len(pair[1]))
    if not anchor:
        return 0, 0.0
    at = _closest(anchor, [line.strip()[:MOST_WIDTH] for line in lines])
    if at is None:
        return 0, 0.0
    begin = max(0, at - place)
    region = "\n".join(line[:MOST_WIDTH] for line in lines[begin : begin + min(len(wanted), SHOWN)])
    asked = "\n".join(line[:MOST_WIDTH] for line in wanted[:SHOWN])
    return begin, difflib.SequenceMatcher(None, asked, region, autojunk=False).ratio()


def _closest(anchor: str, lines: list[str]) -> int | None:
    """Of the lines that share most with it, whatever the order, the one that is most alike in order as well."""
    known = _pieces(anchor)

    def shared(line: str) -> float:
        pieces = _pieces(line)
        return len(known & pieces) / (len(known) + len(pieces))

    matcher = difflib.SequenceMatcher(None, autojunk=False)
    matcher.set_seq2(anchor)
    best, found = ALIKE, None
    for number, line in heapq.nlargest(COMPARED, enumerate(lines), key=lambda pair: shared(pair[1])):
        matcher.set_seq1(line)
        if (ratio := matcher.ratio()) > best:
            best, found = ratio, number
    return found


def _pieces(line: str) -> frozenset[tuple[str, ...]]:
    """Each three characters that follow each other, its ends too, so that a single one is something as well."""
    around = f"\n\n{line}\n\n"
    return frozenset(zip(around, around[1:], around[2:], strict=False))


def _said(what: str, lines: list[str], wanted: list[str], at: int) -> str:
    region = lines[at : at + min(len(wanted), SHOWN)]
    spelled = _clipped if not what.endswith(_ENDINGS) else lambda line: _spelled(line, 0)
    shown = "\n".join(f"{at + 1 + place}\t{spelled(line)}" for place, line in enumerate(region))
    last = f"-{at + len(region)}" if len(region) > 1 else ""
    return f"old was not found; {what}: line {at + 1}{last}:\n{shown}{_first_difference(region, wanted, at)}"


def _first_difference(region: list[str], wanted: list[str], at: int) -> str:
    """The first line that differs, both spelled out, so that tabs, spaces and \\r can be told apart."""
    for place, (there, asked) in enumerate(zip(region, wanted, strict=False)):
        inside = asked in there if place == 0 or place == len(wanted) - 1 else asked == there
        if not inside:
            begin = max(0, _common(there, asked) - 40)
            return f"\nFirst difference, line {at + 1 + place}:\nfile: {_spelled(there, begin)}\nold:  {_spelled(asked, begin)}"
    return ""


def _common(one: str, other: str) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _spelled(line: str, begin: int) -> str:
    """As Python writes it, so that nothing is invisible; a window of a long line."""
    window = line[begin : begin + MOST_WIDTH]
    return ("..." if begin else "") + repr(window) + ("..." if len(line) > begin + MOST_WIDTH else "")


def _clipped(line: str) -> str:
    line = line.removesuffix("\r")
    return line if len(line) <= MOST_WIDTH else f"{line[:MOST_WIDTH]}..."
