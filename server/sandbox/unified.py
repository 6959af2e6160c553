"""The change that an edit made, as a unified diff that patch(1) takes.

The server makes it between the calls of others: its time grows with the file and no faster, and of a change that is too
long to be shown nothing is looked at beyond what is.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from server.sandbox.patch import quoted

CONTEXT = 3  # lines around a change
MAX_LINES, MAX_WIDTH = 200, 400  # of the diff; beyond them it is for reading only, and says so
NO_NEWLINE = "\\ No newline at end of file"

type Lines = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Range:
    """Whole lines, `was`, of the text between two offsets, that became `now`. `first` is the 0-based number of the first."""

    first: int
    begin: int
    end: int
    was: Lines
    now: Lines

    @property
    def after(self) -> int:
        """The number of the line behind them."""
        return self.first + len(self.was)


def unified(before: str, old: str, new: str, path: str) -> str:
    """Hunk by hunk: where it changed is known, so nothing has to be compared."""
    out, shift = [f"--- {_named('a', path)}", f"+++ {_named('b', path)}"], 0
    for hunk in _hunks(_enough(_ranges(before, old, new))):
        body, start, sizes = _body(before, hunk)
        out += [f"@@ -{_span(start, sizes[0])} +{_span(start + shift, sizes[1])} @@", *body]
        shift += sizes[1] - sizes[0]
        if len(out) > MAX_LINES:
            return "\n".join([*out[:MAX_LINES], "... more of the change, not shown"])
    return "\n".join(out)


def _named(side: str, path: str) -> str:
    """In quotes, as git has it, where a character of it could end the line or change how it looks."""
    return f"{side}{path}" if path.isprintable() else quoted(f"{side}{path}").decode()


def _split(text: str) -> Lines:
    """At newlines and nothing else, as every tool that counts lines does; each keeps its own. Of many the first ones."""
    *lines, last = text.split("\n", MAX_LINES + 1)
    return (*(f"{line}\n" for line in lines), *([last] if last else []))


def _span(start: int, size: int) -> str:
    """1-based; of an empty one the line before it, as the format wants it."""
    return f"{start + (size > 0)},{size}"


def _enough(ranges: Iterator[_Range]) -> Iterator[_Range]:
    lines = 0
    for item in ranges:
        yield item
        lines += len(item.was) + len(item.now)
        if lines > MAX_LINES:
            return


def _ranges(before: str, old: str, new: str) -> Iterator[_Range]:
    line, end, at = 0, 0, before.find(old)
    while at >= 0:
        begin = before.rfind("\n", end, at) + 1 or end
        line += before.count("\n", end, begin)
        end = _end_of_change(before, old, new, at, begin)
        was = before[begin:end]
        item = _Range(line, begin, end, _split(was), _split(was.replace(old, new)))
        yield item
        line, at = item.after, before.find(old, end)


def _end_of_change(before: str, old: str, new: str, at: int, begin: int) -> int:
    """Where the last line ends that is changed from `at` on; where its newline went, the next one has become part of it."""
    done, end, last = begin, 0, ""  # what is replaced so far, and the last character that it has become
    for _ in range(MAX_LINES):
        last = new[-1:] or (before[at - 1] if at > done else last)
        done = at + len(old)
        whole = before[done - 1] == "\n" and last in ("", "\n")
        end = max(end, done if whole else _line_end(before, done))
        at = before.find(old, done, end + len(old) - 1) if "\n" in old else -1  # that begins in these lines
        if at < 0:
            break
    return end


def _line_end(text: str, at: int) -> int:
    return text.find("\n", at) + 1 or len(text)


def _hunks(ranges: Iterator[_Range]) -> Iterator[list[_Range]]:
    """Changes whose context would touch are one hunk."""
    hunk = list[_Range]()
    for item in ranges:
        if hunk and item.first - hunk[-1].after >= 2 * CONTEXT:
            yield hunk
            hunk = []
        hunk.append(item)
    if hunk:
        yield hunk


def _body(before: str, hunk: list[_Range]) -> tuple[list[str], int, tuple[int, int]]:
    """The hunk's lines, the 0-based line it starts at, and how many it has before and after."""
    at = _context_before(before, hunk[0].begin)
    start = hunk[0].first - before.count("\n", at, hunk[0].begin)
    out, sizes = list[str](), [0, 0]
    for item in hunk:
        kept = _split(before[at : item.begin])
        out += [*_marked(" ", kept), *_marked("-", item.was), *_marked("+", item.now)]
        sizes = [sizes[0] + len(kept) + len(item.was), sizes[1] + len(kept) + len(item.now)]
        at = item.end
    tail = _split(before[at : _context_after(before, at)])
    return [*out, *_marked(" ", tail)], start, (sizes[0] + len(tail), sizes[1] + len(tail))


def _context_before(text: str, at: int) -> int:
    for _ in range(CONTEXT):
        at = text.rfind("\n", 0, max(0, at - 1)) + 1
    return at


def _context_after(text: str, at: int) -> int:
    for _ in range(CONTEXT):
        at = _line_end(text, at)
    return at


def _marked(mark: str, lines: Lines) -> Iterator[str]:
    for line in lines:
        text = line.removesuffix("\n")
        yield f"{mark}{text}" if len(text) <= MAX_WIDTH else f"{mark}{text[:MAX_WIDTH]}... ({len(text)} characters)"
        if not line.endswith("\n"):
            yield NO_NEWLINE
