"""Whether git's index says the same as before: `git status` writes it anew where files only look different to the disk.

Read as git's own gitformat-index tells of it, versions 2 to 4 with SHA-1; of any other, nothing is said to be the same.
"""

import struct
from collections.abc import Iterator
from typing import Final

_HEADER: Final = struct.Struct(">4sII")  # DIRC, version, how many entries
_ENTRY: Final = struct.Struct(">24xI12x20sH")  # times, device and inode; mode; owner and size; object; flags
_EXTENSION: Final = struct.Struct(">4sI")
_EXTENDED: Final = 0x4000  # among the flags: two more bytes of them follow
_CHECKSUM: Final = 20

type _Entry = tuple[int, bytes, int, bytes, bytes]


def is_named_index(path: str) -> bool:
    """Of the folder's own repository, or of one in it."""
    return f"/{path}".endswith("/.git/index")


def says_the_same(before: bytes, after: bytes) -> bool:
    """The same paths with the same contents and marks; what git only remembers to be quick may differ."""
    try:
        return _said(before) == _said(after)
    except (ValueError, struct.error, IndexError):
        return False


def _said(index: bytes) -> tuple[list[_Entry], list[bytes]]:
    mark, version, count = _HEADER.unpack_from(index)
    if mark != b"DIRC" or version not in (2, 3, 4):
        raise ValueError("not an index")
    entries, at = list[_Entry](), _HEADER.size
    for _ in range(count):
        entry, at = _entry(index, at, version)
        entries.append(entry)
    return entries, list(_obeyed(index, at))


def _entry(index: bytes, start: int, version: int) -> tuple[_Entry, int]:
    mode, content, flags = _ENTRY.unpack_from(index, start)
    at = start + _ENTRY.size
    more = index[at : at + 2] if flags & _EXTENDED else b""
    at += len(more)
    end = index.index(b"\0", at)
    if version == 4:  # noqa: PLR2004 - a number before the name says how much of the last one it keeps
        while index[at] & 0x80:
            at += 1
        end = index.index(b"\0", at + 1)
        return (mode, content, flags, more, index[start + _ENTRY.size + len(more) : end]), end + 1
    return (mode, content, flags, more, index[at:end]), start + (end - start + 8) // 8 * 8


def _obeyed(index: bytes, at: int) -> Iterator[bytes]:
    """Extensions that a reader must understand, whose names begin small; the others are there for speed."""
    while at < len(index) - _CHECKSUM:
        name, size = _EXTENSION.unpack_from(index, at)
        end = at + _EXTENSION.size + size
        if not name[:1].isupper():
            yield index[at:end]
        at = end
