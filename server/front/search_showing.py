"""What a search found, as grep prints it; what was left out and why, with the call that finds the rest."""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mcp.types import CallToolResult

from server.front.file_showing import MOST_ENTRIES, next_call, visible, within
from server.front.results import failed, plain
from server.sandbox.search import MOST_JUDGED, Hit, Searched

FEW = 10  # matching lines up to which those around them are shown


def folder_of(path: str) -> str:
    return posixpath.dirname(path)


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of the answer and the file it is about; `counts` where it is one that was asked for."""

    text: str
    path: str
    counts: bool = True


def show_names(found: Searched, shown: frozenset[str], asked: dict[str, Any]) -> CallToolResult:
    """Files and links whose folder may be listed, one a line."""
    hits = [hit for hit in found.hits if folder_of(hit.path) in shown]
    rows = [_Row(f"{visible(hit.path)}{'@' if hit.is_link else ''}", hit.path) for hit in hits]
    return _answer(found, rows, _hidden(len(found.hits) - len(hits), "names"), "file_list", asked)


def show_matches(found: Searched, shown: frozenset[str], asked: dict[str, Any]) -> CallToolResult:
    """path:line:text for a match, path-line-text for a line around it, of files that may be read."""
    hits = [hit for hit in found.hits if hit.path in shown]
    matching = sum(line.matches for hit in hits for line in hit.lines)
    around = matching <= min(FEW, asked["limit"]) and found.end == "whole"
    rows = [row for place, hit in enumerate(hits) for row in _rows(hit, around=around, first=not place)]
    return _answer(found, rows, _hidden(len(found.hits) - len(hits), "files"), "file_search", asked)


def _rows(hit: Hit, *, around: bool, first: bool) -> Iterator[_Row]:
    """As grep -C does: -- between what is not next to each other."""
    last = None if first else -1
    for line in hit.lines:
        if not line.matches and not around:
            continue
        if around and last is not None and line.number != last + 1:
            yield _Row("--", hit.path, counts=False)
        mark = ":" if line.matches else "-"
        yield _Row(
            f"{visible(hit.path)}{mark}{line.number}{mark}{_printable(line.text)}", hit.path, counts=line.matches
        )
        last = line.number


def _printable(text: str) -> str:
    """Bytes that are no text, and characters that would break the line or the terminal, as what stands for them."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\t" else "\ufffd" for char in text)


def _hidden(count: int, what: str) -> list[str]:
    return [f"{count} {what} are not shown: the policy does not let them be read"] if count else []


def _answer(found: Searched, rows: list[_Row], notes: list[str], tool: str, asked: dict[str, Any]) -> CallToolResult:
    if found.error:
        return failed(found.error)
    kept = within(row.text for row in rows[: _end_of(rows, asked["limit"])])
    rest = rows[len(kept) :]
    notes = [*_more(found, rest, tool, asked), *notes, *_left_out(found)]
    said = [f"[{'; '.join(notes)}]"] if notes else []
    return plain("\n".join([*(kept or ["(nothing found)"]), *said]))


def _end_of(rows: list[_Row], limit: int) -> int:
    """How many rows hold `limit` that count."""
    counted = 0
    for place, row in enumerate(rows):
        counted += row.counts
        if counted > limit:
            return place
    return len(rows)


def _more(found: Searched, rest: list[_Row], tool: str, asked: dict[str, Any]) -> list[str]:
    """Why there is more than is shown, from where on, and the call for a part of it."""
    at = rest[0].path if rest else found.at
    narrower = next_call(tool, asked, path=folder_of(at)) if at else "a narrower path"
    match found.end:
        case "time":
            return [f"not whole: the time was over at {visible(found.at)}; {narrower} searches that folder alone"]
        case "memory" | "broken":
            why = "out of memory" if found.end == "memory" else "ended by something in the sandbox, or out of memory"
            return [f"not whole: {why}; search a narrower path or glob"]
        case "judged" if not rest:
            what = "files with matches" if tool == "file_search" else "folders"
            why = f"one answer has at most {MOST_JUDGED} {what}, and more follow from {visible(at)} on"
            return [f"not whole: {why}; {narrower} searches that folder alone, or choose a narrower glob"]
        case "whole" | "enough" | "judged":
            if not rest and found.end == "whole":
                return []
            count = f"{sum(row.counts for row in rest)} more" if found.end == "whole" else "more follow"
            return [f"{count}, from {visible(at)} on: {_wider(tool, asked)}{narrower} searches that folder alone"]


def _wider(tool: str, asked: dict[str, Any]) -> str:
    limit = min(MOST_ENTRIES, 4 * asked["limit"])
    return f"{next_call(tool, asked, limit=limit)} shows more, " if limit > asked["limit"] else ""


def _left_out(found: Searched) -> list[str]:
    notes = []
    if found.large:
        names = ", ".join(map(visible, found.larges))
        notes.append(f"{found.large} files over 1 GiB were not searched ({names}); use grep in shell")
    if found.binary and not found.hits:
        notes.append(f"{found.binary} binary files were not searched; use grep -a in shell")
    if found.unspeakable:
        notes.append(f"{found.unspeakable} files whose names are not UTF-8 are not shown; use grep -r in shell")
    if found.unread:
        notes.append(f"{found.unread} files or folders could not be read, or were moved meanwhile")
    return notes
