"""Which paths of a writable folder make its host run code, found on the host without following a link.

Best effort, and bounded: a folder that is written on both sides is as safe as what is looked at in it. What lies deeper
than `MAX_DEPTH`, or beyond the first `MAX_ENTRIES` entries, is not found.
"""

import os
import secrets
import stat
from collections import deque
from collections.abc import Iterable, Iterator
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
    """Nearest first. also: paths that are protected whatever they are called. Raises OSError for the root alone."""
    found, seen = list[Place](), 0
    waiting: deque[tuple[str, int]] = deque([("", 0)])
    while waiting and seen < MAX_ENTRIES:
        path, depth = waiting.popleft()
        try:
            entries = _entries(root, path)
        except OSError:
            if not path:
                raise
            continue  # gone, or closed to us: then the host's own tools do not read it either
        seen += len(entries)
        in_git, repository = plain(path.rpartition("/")[2]) == GIT, is_repository(entries)
        for name, info in entries.items():
            inner = f"{path}/{name}" if path else name
            if inner in also or _is_protected(path, name, info, in_repository=in_git or repository):
                found.append(Place(inner, _kind(info), info.st_dev, info.st_ino))
            elif stat.S_ISDIR(info.st_mode) and depth < MAX_DEPTH and not in_git:
                waiting.append((inner, depth + 1))
    return found


def _entries(root: int, path: str) -> dict[str, os.stat_result]:
    with below(root, path.split("/") if path else ()) as folder, os.scandir(folder) as listing:
        return {entry.name: entry.stat(follow_symlinks=False) for entry in listing}


def _is_protected(path: str, name: str, info: os.stat_result, *, in_repository: bool) -> bool:
    """Of a repository only what git obeys: the rest of it is written by every commit."""
    if ASIDE in name:
        return False
    if in_repository and plain(name) in GIT_RUNS:
        return True
    if plain(name) == GIT:
        return not stat.S_ISDIR(info.st_mode)
    return is_run(name, path.rpartition("/")[2])


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
