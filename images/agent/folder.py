"""A folder of the sandbox told to the server: its names, its hashes, its files. Runs in folder_process.py, as uid 1000.

It is the agent's own code in the agent's own interpreter, so it needs none in the image, and no command can trace it.
It reads what a command could read, follows no link, and blocks on no FIFO. The tree is whatever a command made of it: the
server believes none of it.

A record is a head (kind, mode, size, length of the path, length of the blob), the path and the blob; `.` ends them.
"""

import os
import stat
import struct
from _sha2 import sha256  # type: ignore[import-not-found]  # hashlib would bring OpenSSL, 5 MB of every sandbox
from collections.abc import Callable, Iterator

HEAD = struct.Struct(">cIQII")
FILE, FOLDER, LINK, SPECIAL, UNREAD, IGNORE, END = b"f", b"d", b"l", b"s", b"u", b"i", b"."
MAX_DEPTH = 300  # each level holds a descriptor
MAX_IGNORE = 256 << 10  # bytes of one .gitignore
MAX_HOLES = 1 << 30  # bytes of all files that hold next to nothing: what they take to look through no disk bounds
SPARSE = 16  # times as large as what it holds on the disk; file systems that compress come to a few
PIECE = 1 << 18
OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
ON_THE_WAY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC  # Landlock lets pass what only leads on
OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

type Found = tuple[int, bytes, bytes, os.stat_result]  # folder, name, path, what it is


class Writer:
    """Standard output, in pieces: a call for each record would cost more than the record."""

    def __init__(self) -> None:
        self.waiting = bytearray()

    def record(self, kind: bytes, path: bytes, blob: bytes = b"", mode: int = 0, size: int = 0) -> None:
        self.bytes(HEAD.pack(kind, mode, size, len(path), len(blob)) + path + blob)

    def bytes(self, data: bytes) -> None:
        self.waiting += data
        if len(self.waiting) >= PIECE:
            self.flush()

    def flush(self) -> None:
        view = memoryview(bytes(self.waiting))
        self.waiting.clear()
        while view:
            view = view[os.write(1, view) :]


def main(verb: str, root: str) -> int:
    """The exit code; what went wrong is said on standard error."""
    try:
        _tell(verb, root)
    except OSError as exc:
        os.write(2, os.strerror(exc.errno or 0).encode())
        return 1
    return 0


def _tell(verb: str, root: str) -> None:
    """names: all there is. hashes: of all files but what lies at or below paths on standard input. files: those there."""
    told, out = _standard_input(), Writer()
    way = _folder(os.open("/", ON_THE_WAY), [part for part in os.fsencode(root).split(b"/") if part])
    handle = os.open(".", OPEN_FOLDER, dir_fd=way)
    verbs: dict[str, Callable[[], None]] = {
        "names": lambda: _names(handle, out),
        "hashes": lambda: _hashes(handle, frozenset(told), out),
        "files": lambda: _files(handle, told, out),
    }
    verbs[verb]()
    out.record(END, b"")
    out.flush()


def _standard_input() -> list[bytes]:
    """Paths, each ended by a NUL."""
    pieces = []
    while piece := os.read(0, PIECE):
        pieces.append(piece)
    return b"".join(pieces).split(b"\0")[:-1]


def _folder(handle: int, parts: list[bytes]) -> int:
    """A folder below, no part of the way a link; `handle` is closed, whatever happens."""
    for part in parts:
        try:
            inner = os.open(part, ON_THE_WAY, dir_fd=handle)
        finally:
            os.close(handle)
        handle = inner
    return handle


# --- the verbs --------------------------------------------------------------------------------------------------------


def _names(root: int, out: Writer) -> None:
    for folder, name, path, info in _walk(root, b"", frozenset(), out, 0):
        mode = stat.S_IMODE(info.st_mode)
        if stat.S_ISDIR(info.st_mode):
            out.record(FOLDER, path, mode=mode)
        elif stat.S_ISLNK(info.st_mode):
            out.record(LINK, path, _link(folder, name), mode)
        elif stat.S_ISREG(info.st_mode):
            out.record(FILE, path, mode=mode, size=info.st_size)
            if name == b".gitignore":
                _ignore_file(folder, name, path, out)
        else:
            out.record(SPECIAL, path, mode=mode)


def _link(folder: int, name: bytes) -> bytes:
    try:
        return os.readlink(name, dir_fd=folder)
    except OSError:
        return b""


def _ignore_file(folder: int, name: bytes, path: bytes, out: Writer) -> None:
    try:
        handle = os.open(name, OPEN_FILE, dir_fd=folder)
    except OSError:
        return
    try:
        if stat.S_ISREG(os.fstat(handle).st_mode):
            out.record(IGNORE, path, os.read(handle, MAX_IGNORE))
    finally:
        os.close(handle)


def _hashes(root: int, skipped: frozenset[bytes], out: Writer) -> None:
    holes = 0
    for folder, name, path, info in _walk(root, b"", skipped, out, 0):
        if not stat.S_ISREG(info.st_mode):
            continue
        holes += info.st_size if info.st_size > SPARSE * 512 * info.st_blocks else 0
        if holes > MAX_HOLES:
            holes -= info.st_size
            out.record(UNREAD, path, b"nearly all of it is holes, and they are too many to look through")
        else:
            _hash(folder, name, path, out)


def _hash(folder: int, name: bytes, path: bytes, out: Writer) -> None:
    try:
        handle = os.open(name, OPEN_FILE, dir_fd=folder)
    except OSError as exc:
        out.record(UNREAD, path, os.strerror(exc.errno or 0).encode())
        return
    try:
        info, size, digest = os.fstat(handle), 0, sha256()
        while stat.S_ISREG(info.st_mode) and (data := os.read(handle, PIECE)):
            digest.update(data)
            size += len(data)
        out.record(FILE, path, digest.digest(), stat.S_IMODE(info.st_mode), size)
    finally:
        os.close(handle)


def _files(root: int, wanted: list[bytes], out: Writer) -> None:
    """After each record as many bytes as it says; what was cut meanwhile is filled with zeros and fits no hash."""
    for path in wanted:
        *folders, name = path.split(b"/")
        try:
            folder = _folder(os.dup(root), folders)
            try:
                handle = os.open(name, OPEN_FILE, dir_fd=folder)
            finally:
                os.close(folder)
        except OSError as exc:
            out.record(UNREAD, path, os.strerror(exc.errno or 0).encode())
            continue
        try:
            _content(handle, path, out)
        finally:
            os.close(handle)


def _content(handle: int, path: bytes, out: Writer) -> None:
    info = os.fstat(handle)
    left = info.st_size if stat.S_ISREG(info.st_mode) else 0
    out.record(FILE, path, mode=stat.S_IMODE(info.st_mode), size=left)
    while left:
        data = os.read(handle, min(PIECE, left)) or bytes(min(PIECE, left))
        left -= len(data)
        out.bytes(data)


# --- walking ----------------------------------------------------------------------------------------------------------


def _walk(folder: int, prefix: bytes, skipped: frozenset[bytes], out: Writer, depth: int) -> Iterator[Found]:
    """Everything below, folders before what is in them; a folder that cannot be looked into is said to be so."""
    for name in sorted(os.fsencode(name) for name in os.listdir(folder)):
        path = prefix + name
        if path in skipped:
            continue
        try:
            info = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError:
            continue  # gone meanwhile
        yield folder, name, path, info
        if stat.S_ISDIR(info.st_mode):
            yield from _inside(folder, name, path, skipped, out, depth)


def _inside(
    folder: int, name: bytes, path: bytes, skipped: frozenset[bytes], out: Writer, depth: int
) -> Iterator[Found]:
    if depth >= MAX_DEPTH:
        out.record(UNREAD, path, b"too many folders deep")
        return
    try:
        inner = os.open(name, OPEN_FOLDER, dir_fd=folder)
    except OSError as exc:
        out.record(UNREAD, path, os.strerror(exc.errno or 0).encode())
        return
    try:
        yield from _walk(inner, path + b"/", skipped, out, depth + 1)
    finally:
        os.close(inner)
