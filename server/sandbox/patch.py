"""Changes as a patch that a person reads and `git apply` takes: text in hunks, the rest as git's own binary form."""

import difflib
import hashlib
import re
import zlib
from base64 import b85encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from server.sandbox.changes import Change
from server.sandbox.manifest import Entry

CONTEXT: Final = 3  # lines around a change, as git has them
MAX_WORK: Final = 4_000_000  # pairs of lines to compare; past it what differs is one hunk, right and not the shortest
BINARY_LINE: Final = 52  # bytes of one line of git's binary form
_ODD: Final = re.compile(rb"[\x00-\x1f\x7f-\xff\"\\]")
_SHORT: Final = {7: b"a", 8: b"b", 9: b"t", 10: b"n", 11: b"v", 12: b"f", 13: b"r", 34: b'"', 92: b"\\"}
_TYPES: Final = {"file": 0o100000, "link": 0o120000, "folder": 0o040000}


@dataclass(frozen=True, slots=True)
class Rename:
    """A file that went from one name to another, its content unchanged."""

    before: Change
    after: Change


def renames(changes: Sequence[Change]) -> tuple[Rename, ...]:
    """Each file that is gone with the new one that has its content."""
    gone: dict[str, list[Change]] = {}
    for change in changes:
        if change.was is not None and change.now is None and change.was.kind == "file":
            gone.setdefault(change.was.content, []).append(change)
    found = []
    for change in changes:
        now = change.now
        if change.was is None and now is not None and now.kind == "file" and change.size and gone.get(now.content):
            found.append(Rename(gone[now.content].pop(0), change))
    return tuple(found)


def rename_patch(rename: Rename) -> bytes:
    before, after = quoted(rename.before.path), quoted(rename.after.path)
    modes = b""
    if rename.before.was and rename.after.now and rename.before.was.mode != rename.after.now.mode:
        modes = b"old mode %o\nnew mode %o\n" % (_mode(rename.before.was), _mode(rename.after.now))
    head = _head(rename.before.path, rename.after.path)
    return head + modes + b"similarity index 100%%\nrename from %s\nrename to %s\n" % (before, after)


def patch(change: Change, before: bytes | None, after: bytes | None) -> bytes:
    """before, after: the bytes of the file, or of the link's target. A folder has no patch: as if nothing were there."""
    was, now = (None if entry is None or entry.kind == "folder" else entry for entry in (change.was, change.now))
    before, after = before if was else None, after if now else None
    if was is now is None:
        return b""
    made = _head(change.path, change.path)
    if was and now and was.kind != now.kind:  # git writes it as one that goes and one that comes
        gone, new = Change(change.path, was, None), Change(change.path, None, now, change.size)
        return patch(gone, before, None) + patch(new, None, after)
    if was is None and now is not None:
        made += b"new file mode %o\n" % _mode(now)
    elif now is None and was is not None:
        made += b"deleted file mode %o\n" % _mode(was)
    elif was and now and was.mode != now.mode and was.kind == "file":
        made += b"old mode %o\nnew mode %o\n" % (_mode(was), _mode(now))
    if before != after:
        made += b"index %s..%s\n" % (_blob(before), _blob(after))
        made += _content(change.path, before, after)
    return made


def is_binary(data: bytes | None) -> bool:
    return b"\0" in (data or b"")[:8000]


def _content(path: str, before: bytes | None, after: bytes | None) -> bytes:
    if is_binary(before) or is_binary(after):
        return b"GIT binary patch\n" + _literal(after or b"") + b"\n" + _literal(before or b"") + b"\n"
    hunks = b"".join(_hunks(_lines(before or b""), _lines(after or b"")))
    if not hunks:
        return b""
    name = quoted(f"a/{path}"), quoted(f"b/{path}")
    old = b"/dev/null" if before is None else name[0]
    new = b"/dev/null" if after is None else name[1]
    return b"--- %s\n+++ %s\n" % (old, new) + hunks


def _head(before: str, after: str) -> bytes:
    return b"diff --git %s %s\n" % (quoted(f"a/{before}"), quoted(f"b/{after}"))


def _mode(entry: Entry) -> int:
    return _TYPES[entry.kind] | (entry.mode if entry.kind == "file" else 0)


def _blob(data: bytes | None) -> bytes:
    """git's own name for the content; it asks for it before it takes a binary patch."""
    if data is None:
        return b"0" * 40
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest().encode()


def quoted(path: str) -> bytes:
    """A path as git writes it: in quotes where a byte of it could be taken for something else."""
    data = path.encode("utf-8", "surrogateescape")
    if not _ODD.search(data):
        return data
    return b'"' + _ODD.sub(lambda found: b"\\" + _SHORT.get(found[0][0], b"%03o" % found[0][0]), data) + b'"'


def _literal(data: bytes) -> bytes:
    packed, lines = zlib.compress(data, 9), [b"literal %d\n" % len(data)]
    for start in range(0, len(packed), BINARY_LINE):
        piece = packed[start : start + BINARY_LINE]
        letter = len(piece) + (64 if len(piece) <= 26 else 70)  # noqa: PLR2004 - A to Z for 1 to 26, a to z beyond
        lines.append(bytes([letter]) + b85encode(piece, pad=True) + b"\n")
    return b"".join(lines)


# --- hunks -------------------------------------------------------------------------------------------------------------


def _lines(data: bytes) -> list[bytes]:
    """Each with its newline; the last may have none. (bytes.splitlines would end a line at a carriage return too.)"""
    *whole, rest = data.split(b"\n")
    return [line + b"\n" for line in whole] + ([rest] if rest else [])


def _hunks(before: list[bytes], after: list[bytes]) -> Iterator[bytes]:
    blocks = _blocks(before, after)
    while blocks:
        group = [blocks.pop(0)]
        while blocks and blocks[0][0] - group[-1][1] <= 2 * CONTEXT:
            group.append(blocks.pop(0))
        yield _hunk(group, before, after)


type _Block = tuple[int, int, int, int]  # from, to in the old; from, to in the new


def _blocks(before: list[bytes], after: list[bytes]) -> list[_Block]:
    """What differs, the equal lines at both ends cut away first: for a file with one change that is nearly all."""
    low, most = 0, min(len(before), len(after))
    while low < most and before[low] == after[low]:
        low += 1
    high = 0
    while high < most - low and before[-1 - high] == after[-1 - high]:
        high += 1
    old, new = before[low : len(before) - high], after[low : len(after) - high]
    if not old and not new:
        return []
    if len(old) * len(new) > MAX_WORK:
        return [(low, low + len(old), low, low + len(new))]
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    return [(a + low, b + low, c + low, d + low) for tag, a, b, c, d in matcher.get_opcodes() if tag != "equal"]


def _hunk(group: list[_Block], before: list[bytes], after: list[bytes]) -> bytes:
    start, end = max(0, group[0][0] - CONTEXT), min(len(before), group[-1][1] + CONTEXT)
    shift = group[0][2] - group[0][0]
    new_start, new_end = start + shift, end + group[-1][3] - group[-1][1]
    made, at = list[bytes](), start
    for a, b, c, d in group:
        made += [b" " + line for line in before[at:a]]
        made += [b"-" + line for line in before[a:b]]
        made += [b"+" + line for line in after[c:d]]
        at = b
    made += [b" " + line for line in before[at:end]]
    head = b"@@ -%s +%s @@\n" % (_range(start, end), _range(new_start, new_end))
    return head + b"".join(
        line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n" for line in made
    )


def _range(start: int, end: int) -> bytes:
    count = end - start
    return b"%d,%d" % (start + 1 if count else start, count)
