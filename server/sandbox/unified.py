"""The change that an edit made, as a unified diff that patch(1) takes."""

from collections.abc import Iterator
from dataclasses import dataclass

CONTEXT = 3  # lines around a change
MAX_LINES, MAX_WIDTH = 200, 400  # of the diff; beyond them it is for reading only, and says so
NO_NEWLINE = "\\ No newline at end of file"


@dataclass(frozen=True, slots=True)
class _Range:
    """Lines `first` to `last` (0-based, whole) that became `now`."""

    first: int
    last: int
    now: tuple[str, ...]


def unified(before: str, old: str, new: str, path: str) -> str:
    """Hunk by hunk: where it changed is known, so nothing has to be compared."""
    lines = split_lines(before)
    out, shift = [f"--- a{path}", f"+++ b{path}"], 0
    for hunk in _hunks(_ranges(lines, before, old, new)):
        body, start, sizes = _body(lines, hunk)
        out += [f"@@ -{_span(start, sizes[0])} +{_span(start + shift, sizes[1])} @@", *body]
        shift += sizes[1] - sizes[0]
        if len(out) > MAX_LINES:
            return "\n".join([*out[:MAX_LINES], "... more of the change, not shown"])
    return "\n".join(out)


def split_lines(text: str) -> list[str]:
    """At newlines and nothing else, as every tool that counts lines does; each keeps its own."""
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _span(start: int, size: int) -> str:
    """1-based; of an empty one the line before it, as the format wants it."""
    return f"{start + (size > 0)},{size}"


def _ranges(lines: list[str], before: str, old: str, new: str) -> Iterator[_Range]:
    pending: tuple[int, int] | None = None
    for first, last in _places(before, old):
        if pending is None:
            pending = first, last
        elif first <= _grown(lines, pending, old, new)[1]:
            pending = pending[0], max(last, pending[1])
        else:
            yield _range(lines, pending, old, new)
            pending = first, last
    if pending is not None:
        yield _range(lines, pending, old, new)


def _places(before: str, old: str) -> Iterator[tuple[int, int]]:
    """First and last line (0-based) of each occurrence."""
    line, counted, at = 0, 0, before.find(old)
    while at >= 0:
        line += before.count("\n", counted, at)
        counted = at
        yield line, line + before.count("\n", at, at + len(old) - 1)
        at = before.find(old, at + len(old))


def _grown(lines: list[str], span: tuple[int, int], old: str, new: str) -> tuple[int, int]:
    """Where the newline at the end went, the next line has become part of the last one."""
    first, last = span
    now = "".join(lines[first : last + 1]).replace(old, new)
    if now and not now.endswith("\n") and last + 1 < len(lines):
        return first, last + 1
    return span


def _range(lines: list[str], span: tuple[int, int], old: str, new: str) -> _Range:
    first, last = _grown(lines, span, old, new)
    changed = "".join(lines[first : span[1] + 1]).replace(old, new) + "".join(lines[span[1] + 1 : last + 1])
    return _Range(first, last, tuple(split_lines(changed)))


def _hunks(ranges: Iterator[_Range]) -> Iterator[list[_Range]]:
    """Changes whose context would touch are one hunk."""
    hunk = list[_Range]()
    for item in ranges:
        if hunk and item.first - hunk[-1].last > 2 * CONTEXT:
            yield hunk
            hunk = []
        hunk.append(item)
    if hunk:
        yield hunk


def _body(lines: list[str], hunk: list[_Range]) -> tuple[list[str], int, tuple[int, int]]:
    """The hunk's lines, the 0-based line it starts at, and how many it has before and after."""
    start = at = max(0, hunk[0].first - CONTEXT)
    out, sizes = list[str](), [0, 0]
    for item in hunk:
        kept, gone = lines[at : item.first], lines[item.first : item.last + 1]
        out += [*_marked(" ", kept), *_marked("-", gone), *_marked("+", item.now)]
        sizes = [sizes[0] + len(kept) + len(gone), sizes[1] + len(kept) + len(item.now)]
        at = item.last + 1
    tail = lines[at : at + CONTEXT]
    return [*out, *_marked(" ", tail)], start, (sizes[0] + len(tail), sizes[1] + len(tail))


def _marked(mark: str, lines: list[str] | tuple[str, ...]) -> Iterator[str]:
    for line in lines:
        text = line.removesuffix("\n")
        yield f"{mark}{text}" if len(text) <= MAX_WIDTH else f"{mark}{text[:MAX_WIDTH]}... ({len(text)} characters)"
        if not line.endswith("\n"):
            yield NO_NEWLINE
