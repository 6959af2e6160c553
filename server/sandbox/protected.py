"""Which paths of a writable folder make its host run code, found on the host without following a link.

Best effort, and bounded: a folder that is written on both sides is as safe as what is looked at in it. What lies deeper
than `MAX_DEPTH`, or beyond the first `MAX_ENTRIES` entries, is not found.
"""

import os
import re
import secrets
import stat
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server.sandbox.git_config import obeyed
from server.sandbox.host_code import GIT, GIT_RUNS, is_repository, is_run, plain
from server.sandbox.host_folder import below, opened
from server.sandbox.sandbox import Mount

MAX_DEPTH: Final = 6
MAX_ENTRIES: Final = 20_000
MAX_GUARDS: Final = 100  # mounts: each costs a start about a millisecond
OWN_CONFIG: Final = f"{GIT}/config"  # of a repository that was there before: then nothing inside could change it
ASIDE: Final = ".sandgate-aside-"
_ASIDE: Final = re.compile(rf"{re.escape(ASIDE)}[0-9a-f]{{8}}\Z")


class Linked(Exception):
    """A protected path of a writable folder is a link: whoever mounted it would mount what it leads to."""


@dataclass(frozen=True, slots=True)
class Place:
    """A protected path, relative to its folder, and what is there."""

    path: str
    kind: str  # folder, file, link
    device: int
    inode: int


def scan(root: int, also: frozenset[str] = frozenset()) -> list[Place]:
    """Nearest first. also: paths that are protected whatever they are called. Raises OSError for the root alone.

    Every command of a session waits for it: of what is not protected no more is asked than its folder tells.
    """
    found, seen = list[Place](), 0
    waiting: deque[tuple[str, int]] = deque([("", 0)])
    while waiting and seen < MAX_ENTRIES:
        path, depth = waiting.popleft()
        try:
            with below(root, path.split("/") if path else ()) as folder, os.scandir(folder) as listing:
                entries = list(listing)
                places = _protected(path, entries, also)
                inside = [_inner(path, entry.name) for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:
            if not path:
                raise
            continue  # gone, or closed to us: then the host's own tools do not read it either
        found += places.values()
        seen += len(entries)
        if depth < MAX_DEPTH and plain(path.rpartition("/")[2]) != GIT:
            waiting += ((inner, depth + 1) for inner in inside if inner not in places)
    return found


def _inner(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _protected(path: str, entries: list[os.DirEntry[str]], also: frozenset[str]) -> dict[str, Place]:
    """By its path, what of a folder's entries is. Of a repository only what git obeys: every commit writes the rest."""
    folder = plain(path.rpartition("/")[2])
    in_repository = folder == GIT or is_repository(entry.name for entry in entries)
    places = dict[str, Place]()
    for entry in entries:
        inner = _inner(path, entry.name)
        if inner in also or _is_protected(entry, folder, in_repository=in_repository):
            with suppress(FileNotFoundError):  # only that one: what comes and goes must not hide what is beside it
                info = entry.stat(follow_symlinks=False)
                places[inner] = Place(inner, _kind(info), info.st_dev, info.st_ino)
    return places


def _is_protected(entry: os.DirEntry[str], folder: str, *, in_repository: bool) -> bool:
    name = plain(entry.name)
    if _ASIDE.search(entry.name):
        return False
    if name == GIT:
        return not entry.is_dir(follow_symlinks=False)
    return (in_repository and name in GIT_RUNS) or is_run(name, folder)


def _kind(info: os.stat_result) -> str:
    return "folder" if stat.S_ISDIR(info.st_mode) else "link" if stat.S_ISLNK(info.st_mode) else "file"


# --- before a session --------------------------------------------------------------------------------------------------


def guards(mount: Mount) -> tuple[Mount, ...]:
    """What is mounted over parts of a writable mount: protected paths read-only, and each folder on their way as it is,
    for what is a mountpoint cannot be renamed. Raises Linked, Swapped and OSError."""
    with opened(Path(mount.source), (mount.device, mount.inode)) as root:
        places = scan(root, obeyed(Path(mount.source)))
        linked = [place.path for place in places if place.kind == "link"]
        if linked:
            raise Linked(
                f"{mount.source}/{linked[0]} is a link, and a host runs what is there; remove it, or give the folder as a copy"
            )
        made: dict[str, Mount] = {}
        for place in places[:MAX_GUARDS]:
            for folder in _above(place.path):
                if folder not in made:
                    with below(root, folder.split("/")) as handle:
                        info = os.fstat(handle)
                    made[folder] = _over(mount, folder, info.st_dev, info.st_ino, read_only=False)
            made[place.path] = _over(mount, place.path, place.device, place.inode, read_only=True)
    return tuple(made[path] for path in sorted(made))


def _over(mount: Mount, path: str, device: int, inode: int, *, read_only: bool) -> Mount:
    return Mount(f"{mount.source}/{path}", f"{mount.target}/{path}", read_only, device, inode)


def _above(path: str) -> Iterator[str]:
    parts = path.split("/")
    for count in range(1, len(parts)):
        yield "/".join(parts[:count])


# --- after a command ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Moved:
    """A protected path that was not there when the session began, and where it is now; nothing where it would not move."""

    path: str
    aside: str
    why: str = ""


def move_aside(mount: Mount, known: Iterable[str]) -> list[Moved]:
    """Everything protected that is new, under another name in its own folder. Raises Swapped and OSError.

    known: paths, relative to the mount, that were there when the session began.
    """
    before, moved = set(known), list[Moved]()
    with opened(Path(mount.source), (mount.device, mount.inode)) as root:
        for place in scan(root, obeyed(Path(mount.source)) if OWN_CONFIG in before else frozenset()):
            if place.path not in before:
                moved.append(_move(root, mount, place.path))
    return moved


def _move(root: int, mount: Mount, path: str) -> Moved:
    folder, _, name = path.rpartition("/")
    aside = f"{name}{ASIDE}{secrets.token_hex(4)}"
    try:
        with below(root, folder.split("/") if folder else ()) as handle:
            os.rename(name, aside, src_dir_fd=handle, dst_dir_fd=handle)
    except OSError as exc:
        return Moved(f"{mount.source}/{path}", "", exc.strerror or "")
    return Moved(f"{mount.source}/{path}", f"{mount.source}/{folder}/{aside}" if folder else f"{mount.source}/{aside}")
