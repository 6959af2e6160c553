"""What of a host's folder goes into a sandbox: everything that git would not ignore, found without following a link."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from server.sandbox.host_folder import FOLDER, read_small
from server.sandbox.ignore import FILE, MAX_BYTES, Ignore
from server.sandbox.tracked import tracked

MAX_ENTRIES: Final = 500_000
MAX_DEPTH: Final = 200  # folders in folders: each level holds a descriptor
GIT: Final = ".git"

type Kind = Literal["file", "folder", "link"]


class TooMuch(Exception):
    """A folder holds more than is copied into a sandbox; the sentence says what can be done."""


@dataclass(frozen=True, slots=True)
class Item:
    """Something to send. `path` is relative to the root and has no `..`; size and mtime as they were when looked at."""

    path: str
    kind: Kind
    mode: int
    size: int
    mtime: int


@dataclass
class Survey:
    """Folders stand before what is in them. unread: what this process may not read. special: sockets, FIFOs, devices."""

    items: list[Item] = field(default_factory=list[Item])
    total: int = 0  # bytes
    ignored: int = 0
    unread: list[str] = field(default_factory=list[str])
    special: int = 0


def survey(root: int, ignore: Ignore | None) -> Survey:
    """Look at all of it; what git tracks is not ignored. `ignore`: what holds below every .gitignore, None for nothing at all.

    Raises TooMuch, and OSError for the root itself.
    """
    kept = tracked(root) if ignore is not None else frozenset[str]()
    look = _Look(kept | {folder for path in kept for folder in folders_above(path)})
    look.into(root, "", ignore, 0)
    return look.found


def folders_above(path: str) -> Iterator[str]:
    parts = path.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts)))


@dataclass
class _Look:
    """kept: paths that are wanted even where they are ignored."""

    kept: frozenset[str]
    found: Survey = field(default_factory=Survey)

    def into(self, folder: int, prefix: str, ignore: Ignore | None, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise TooMuch(f"{prefix} lies more than {MAX_DEPTH} folders deep; that is not copied")
        if ignore is not None and (content := read_small(folder, FILE, MAX_BYTES)) is not None:
            ignore = ignore.with_file(content)
        with os.scandir(folder) as listing:
            entries = sorted((entry.name, entry.stat(follow_symlinks=False)) for entry in listing)
        for name, info in entries:
            path, is_folder = prefix + name, stat.S_ISDIR(info.st_mode)
            ignored = is_ignored(ignore, name, is_folder=is_folder)
            if ignored and path not in self.kept:
                self.found.ignored += 1
            elif self._add(path, info) and is_folder:
                self._descend(folder, name, path, Ignore(closed=True) if ignored else ignore_below(ignore, name), depth)

    def _add(self, path: str, info: os.stat_result) -> bool:
        kinds: dict[int, Kind] = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}
        kind = kinds.get(stat.S_IFMT(info.st_mode))
        if kind is None:
            self.found.special += 1
            return False
        if len(self.found.items) >= MAX_ENTRIES:
            raise TooMuch(
                f"it holds more than {MAX_ENTRIES} files and folders that git does not ignore; "
                "lend a folder in it, mount it (DIR:rw or DIR:ro), or name what is not needed in its .gitignore"
            )
        size = info.st_size if kind == "file" else 0
        self.found.items.append(Item(path, kind, stat.S_IMODE(info.st_mode) & 0o777, size, int(info.st_mtime)))
        self.found.total += size
        return True

    def _descend(self, folder: int, name: str, path: str, ignore: Ignore | None, depth: int) -> None:
        try:
            inner = os.open(name, FOLDER, dir_fd=folder)
        except OSError:  # not ours to read, or swapped for a link meanwhile
            self.found.unread.append(path)
            return
        try:
            self.into(inner, f"{path}/", ignore, depth + 1)
        finally:
            os.close(inner)


def is_ignored(ignore: Ignore | None, name: str, *, is_folder: bool) -> bool:
    """A repository is not, but for one in a folder that is."""
    return ignore is not None and (name != GIT or ignore.closed) and ignore.ignores(name, is_folder=is_folder)


def ignore_below(ignore: Ignore | None, name: str) -> Ignore | None:
    """In a repository's own folder no pattern holds."""
    return None if ignore is None or name == GIT else ignore.below(name)
