"""Which files a repository tracks, by its index: those are its own whatever its .gitignore files say."""

import os
import struct
from typing import Final

from server.sandbox.host_folder import below, read_small

MAX_BYTES: Final = 128 << 20
MAX_ENTRIES: Final = 1_000_000
_HEAD: Final = struct.Struct(">4sII")  # signature, version, entries
_STAT: Final = 40  # bytes of times, device, mode, owner, size
_HASH: Final = 20  # a repository with longer ones is read as if it had no index
_FLAGS: Final = struct.Struct(">H")
_EXTENDED: Final = 0x4000  # two more bytes of flags, from version 3 on
_PREFIXED: Final = 4  # the version in which a path leaves out what it shares with the one before


def tracked(root: int) -> frozenset[str]:
    """Paths relative to that folder, which has its own .git; none where there is none, or it makes no sense."""
    try:
        with below(root, (".git",)) as folder:
            content = read_small(folder, "index", MAX_BYTES)
        return frozenset(_paths(content)) if content else frozenset()
    except (OSError, ValueError, struct.error):
        return frozenset()


def _paths(content: bytes) -> list[str]:
    """Raises ValueError and struct.error where it is not an index."""
    signature, version, count = _HEAD.unpack_from(content)
    if signature != b"DIRC" or version not in (2, 3, _PREFIXED) or count > MAX_ENTRIES:
        raise ValueError("not an index")
    paths, at, before = list[str](), _HEAD.size, b""
    for _ in range(count):
        start = at
        at += _STAT + _HASH
        (flags,) = _FLAGS.unpack_from(content, at)
        at += 4 if flags & _EXTENDED else 2
        shared = 0
        if version == _PREFIXED:
            at, cut = _offset(content, at)
            shared = len(before) - cut
            if shared < 0:
                raise ValueError("not an index")
        end = content.index(b"\0", at)
        before = before[:shared] + content[at:end]
        paths.append(os.fsdecode(before))
        at = end + 1 if version == _PREFIXED else start + (end - start + 8) // 8 * 8
    return paths


def _offset(content: bytes, at: int) -> tuple[int, int]:
    """git's number of variable length, and where it ends."""
    value = content[at] & 0x7F if at < len(content) else 0
    while at < len(content) and content[at] & 0x80:
        at += 1
        if at == len(content) or value > len(content):
            raise ValueError("not an index")
        value = ((value + 1) << 7) | (content[at] & 0x7F)
    return at + 1, value
