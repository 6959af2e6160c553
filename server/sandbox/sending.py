"""A folder of the host as a stream of tar: each file opened without following a link, hashed as it is sent."""

import hashlib
import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from server.sandbox.host_folder import FILE, Held, below
from server.sandbox.manifest import Entry
from server.sandbox.survey import Item

PIECE: Final = 1 << 20  # bytes handed on at once: a piece for each small file would cost a system call each


class Stopped(Exception):
    """Whoever waited for the copy has gone."""


@dataclass
class Sending:
    """One folder on its way. Read `files` and `bytes` from any thread; set `stopped` to end it."""

    root: Held
    target: str
    owner: tuple[int, int]
    files: int = 0
    total: int = 0  # bytes
    stopped: bool = False
    entries: dict[str, Entry] = field(default_factory=dict[str, Entry])
    unread: list[str] = field(default_factory=list[str])

    def stream(self, mode: int, items: list[Item]) -> Iterator[bytes]:
        """The archive, to be unpacked at `/`. What changes meanwhile is sent as it was read; what has gone is left out."""
        waiting = bytearray(self._head(Item("", "folder", mode, 0, 0)))
        for folder, inside in _by_folder(items):
            try:
                with below(self.root.handle, folder) as handle:
                    for item in inside:
                        yield from self._one(handle, item, waiting)
            except OSError:  # gone, closed to us, or swapped for a link
                self.unread += [item.path for item in inside if item.path not in self.entries]
        yield bytes(waiting) + bytes(2 * tarfile.BLOCKSIZE)

    def _one(self, folder: int, item: Item, waiting: bytearray) -> Iterator[bytes]:
        if self.stopped:
            raise Stopped
        name = item.path.rpartition("/")[2]
        try:
            match item.kind:
                case "folder":
                    self.entries[item.path] = Entry("folder", item.mode)
                    waiting += self._head(item)
                case "link":
                    target = os.readlink(name, dir_fd=folder)
                    self.entries[item.path] = Entry("link", item.mode, target)
                    waiting += self._head(item, target)
                case "file":
                    yield from self._file(folder, name, item, waiting)
        except OSError:
            self.unread.append(item.path)
        self.files += 1
        if len(waiting) >= PIECE:
            yield bytes(waiting)
            waiting.clear()

    def _file(self, folder: int, name: str, item: Item, waiting: bytearray) -> Iterator[bytes]:
        handle = os.open(name, FILE, dir_fd=folder)
        try:
            info = os.fstat(handle)
            if not stat.S_ISREG(info.st_mode):
                self.unread.append(item.path)
                return
            mode, size = stat.S_IMODE(info.st_mode) & 0o777, info.st_size
            waiting += self._head(Item(item.path, "file", mode, size, int(info.st_mtime)))
            digest = hashlib.sha256()
            left = size
            while left:
                # A file that was cut meanwhile is filled with zeros: the archive's length was told already.
                data = _some(handle, left) or bytes(min(PIECE, left))
                digest.update(data)
                left -= len(data)
                self.total += len(data)
                waiting += data
                if len(waiting) >= PIECE:
                    yield bytes(waiting)
                    waiting.clear()
            waiting += bytes(-size % tarfile.BLOCKSIZE)
            self.entries[item.path] = Entry("file", mode, digest.hexdigest())
        finally:
            os.close(handle)

    def _head(self, item: Item, link: str = "") -> bytes:
        kinds = {"file": tarfile.REGTYPE, "folder": tarfile.DIRTYPE, "link": tarfile.SYMTYPE}
        head = tarfile.TarInfo(f"{self.target}/{item.path}".strip("/"))
        head.type, head.mode, head.size, head.mtime = kinds[item.kind], item.mode, item.size, item.mtime
        head.uid, head.gid = self.owner
        head.linkname = link
        return head.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def _some(handle: int, most: int) -> bytes:
    """What there is; nothing at the end, and nothing where the disk does not give it."""
    try:
        return os.read(handle, min(PIECE, most))
    except OSError:
        return b""


def _by_folder(items: list[Item]) -> Iterator[tuple[list[str], list[Item]]]:
    """Neighbours in one folder together, in the order they came."""
    start = 0
    while start < len(items):
        folder, end = items[start].path.rpartition("/")[0], start
        while end < len(items) and items[end].path.rpartition("/")[0] == folder:
            end += 1
        yield folder.split("/") if folder else [], items[start:end]
        start = end
