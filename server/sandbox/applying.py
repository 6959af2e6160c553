"""Changes of a copy made to the folder they came from: by descriptors, never through a link, nothing overwritten unseen.

Every path is looked at on the host twice: for the plan, and again right before it is changed. What is not as it was when
the copy was made is a conflict and stays.
"""

import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Final, Literal, assert_never

from server.sandbox.changes import Change
from server.sandbox.host_folder import FILE, below
from server.sandbox.manifest import Entry
from server.sandbox.telling import is_below

PIECE: Final = 1 << 20

type State = Literal["ready", "there", "conflict"]


class ApplyFailed(Exception):
    """A change could not be made on the host; what was made before it stays made, and is told."""


@dataclass(frozen=True, slots=True)
class Step:
    """One change and what the host says to it. there: the host is like that already."""

    change: Change
    state: State
    why: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """Where a file's bytes lie among what was fetched."""

    file: IO[bytes]
    at: int
    size: int


def plan(root: int, changes: Sequence[Change]) -> tuple[Step, ...]:
    """What applying them would do; nothing is changed."""
    going = frozenset(change.path for change in changes if change.now is None)
    steps = dict[str, Step]()
    for change in sorted(changes, key=lambda one: one.path):  # a folder before what is in it
        steps[change.path] = _step(root, change, going, steps)
    return tuple(steps[change.path] for change in changes)


def _step(root: int, change: Change, going: frozenset[str], above: Mapping[str, Step]) -> Step:
    if not is_below(change.path):
        return Step(change, "conflict", "it is no path below the folder")
    try:
        host = look(root, change.path)
    except OSError as exc:
        if exc.errno not in (errno.ELOOP, errno.ENOTDIR):
            return Step(change, "conflict", f"on the host {exc.strerror}")
        if not _gives_way(change.path, above):
            return Step(change, "conflict", "on the host a folder on its way is a link or a file")
        host = None
    if _same(host, change.now):
        return Step(change, "there")
    if not _same(host, change.was):
        return Step(change, "conflict", _differs(host, change))
    if host and host.kind == "folder" and change.now is not None and _holds_more(root, change.path, going):
        return Step(change, "conflict", "the host has more in that folder")
    return Step(change, "ready")


def _differs(host: Entry | None, change: Change) -> str:
    if host is None:
        return "it is gone from the host"
    return "it is new on the host too" if change.was is None else "it changed on the host too"


def _gives_way(path: str, above: Mapping[str, Step]) -> bool:
    """Whether what is no folder on its way is to become one, or is what the folder became: then nothing is at that path."""
    parts = path.split("/")
    steps = (above.get("/".join(parts[:count])) for count in range(1, len(parts)))
    return any(_kind(step.change.was) != _kind(step.change.now) for step in steps if step and step.state != "conflict")


def _kind(entry: Entry | None) -> str:
    return entry.kind if entry else ""


def _holds_more(root: int, path: str, going: frozenset[str]) -> bool:
    """Whether anything in it stays: what git ignores was never sent, so no change names it."""
    with below(root, path.split("/")) as folder, os.scandir(folder) as listing:
        inside = {f"{path}/{entry.name}": entry.is_dir(follow_symlinks=False) for entry in listing}
    return any(
        name not in going or (is_folder and _holds_more(root, name, going)) for name, is_folder in inside.items()
    )


def _same(host: Entry | None, other: Entry | None) -> bool:
    if host is None or other is None:
        return host is other
    return host.same_as(other) or (host.kind == other.kind == "folder")


def look(root: int, path: str) -> Entry | None:
    """What the host has there; None where nothing is. Raises OSError where the way to it is not one of plain folders."""
    *folders, name = path.split("/")
    try:
        with below(root, folders) as folder:
            return _entry(folder, name)
    except FileNotFoundError:
        return None


def _entry(folder: int, name: str) -> Entry | None:
    info = os.stat(name, dir_fd=folder, follow_symlinks=False)
    mode = stat.S_IMODE(info.st_mode) & 0o777
    if stat.S_ISDIR(info.st_mode):
        return Entry("folder", mode)
    if stat.S_ISLNK(info.st_mode):
        return Entry("link", mode, os.readlink(name, dir_fd=folder))
    if not stat.S_ISREG(info.st_mode):
        return Entry("file", mode, "a device, FIFO or socket")
    return Entry("file", mode, _sha256(folder, name))


def _sha256(folder: int, name: str) -> str:
    digest = hashlib.sha256()
    with os.fdopen(os.open(name, FILE, dir_fd=folder), "rb") as file:
        while data := file.read(PIECE):
            digest.update(data)
    return digest.hexdigest()


# --- making them -------------------------------------------------------------------------------------------------------


def apply(
    root: int, changes: Sequence[Change], parts: Mapping[str, Part], done: Callable[[Change], None] = lambda _: None
) -> tuple[str, ...]:
    """Make them; answers with folders that stay because the host has more in them. Raises ApplyFailed.

    What goes goes first, deepest first; then folders, then what lies in them.
    """
    kept = list[str]()
    for change in sorted(changes, key=lambda one: one.path, reverse=True):
        if change.was is not None and (change.now is None or change.now.kind != change.was.kind):
            with _naming(change):
                if not _remove(root, change, change.was):
                    kept.append(change.path)
            if change.now is None:
                done(change)
    for change in sorted(changes, key=lambda one: one.path):
        if change.now is not None:
            replaces = change.was if change.was and change.was.kind == change.now.kind else None
            with _naming(change):
                _make(root, change, replaces, change.now, parts)
            done(change)
    return tuple(kept)


@contextmanager
def _naming(change: Change) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise ApplyFailed(f"{change.path}: {exc.strerror or exc}") from exc


def _remove(root: int, change: Change, was: Entry) -> bool:
    """False where a folder has more in it than went."""
    *folders, name = change.path.split("/")
    with below(root, folders) as folder:
        _check_again(folder, name, change, was)
        if was.kind != "folder":
            os.unlink(name, dir_fd=folder)
            return True
        try:
            os.rmdir(name, dir_fd=folder)
        except OSError as exc:
            if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST) or change.now is not None:
                raise
            return False
        return True


def _make(root: int, change: Change, replaces: Entry | None, now: Entry, parts: Mapping[str, Part]) -> None:
    *folders, name = change.path.split("/")
    with _made(root, folders) as folder:
        _check_again(folder, name, change, replaces)
        match now.kind:
            case "folder":
                with suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=folder)
                _settle(folder, name, now.mode)
            case "link":
                _replace(folder, name, lambda temporary: os.symlink(now.content, temporary, dir_fd=folder))
            case "file":
                part = parts.get(change.path)
                if part is None:
                    raise ApplyFailed(f"{change.path}: it can no longer be read in the session; look again")
                _replace(folder, name, lambda temporary: _write(folder, temporary, part, now))
            case _:
                assert_never(now.kind)


def _check_again(folder: int, name: str, change: Change, expected: Entry | None) -> None:
    try:
        host = _entry(folder, name)
    except FileNotFoundError:
        host = None
    if not _same(host, expected):
        raise ApplyFailed(f"{change.path}: it changed on the host while changes were applied")


@contextmanager
def _made(root: int, folders: list[str]) -> Iterator[int]:
    """The folder that something goes into; those that are missing are made, none of them is a link."""
    for count in range(len(folders)):
        with below(root, folders[:count]) as above, suppress(FileExistsError):
            os.mkdir(folders[count], 0o755, dir_fd=above)
            _own(above, folders[count])
    with below(root, folders) as folder:
        yield folder


def _replace(folder: int, name: str, make: Callable[[str], None]) -> None:
    """Made beside it and renamed over it: a reader sees the old one or the new one, and a link there is not followed."""
    temporary = f".sandgate-{secrets.token_hex(8)}"
    try:
        make(temporary)
        _own(folder, temporary)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise


def _write(folder: int, name: str, part: Part, now: Entry) -> None:
    """Raises ApplyFailed where the bytes are not those that were shown."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    digest, left = hashlib.sha256(), part.size
    part.file.seek(part.at)
    with os.fdopen(os.open(name, flags, 0o600, dir_fd=folder), "wb") as file:
        while left and (data := part.file.read(min(PIECE, left))):
            digest.update(data)
            file.write(data)
            left -= len(data)
        if digest.hexdigest() != now.content:
            raise ApplyFailed("a file changed in the session while it was fetched; try again when nothing runs in it")
        file.flush()
        os.fchmod(file.fileno(), now.mode)


def _settle(folder: int, name: str, mode: int) -> None:
    _own(folder, name)
    with below(folder, (name,)) as made:
        os.fchmod(made, mode | 0o700)  # a folder that its owner cannot enter would take nothing


def _own(folder: int, name: str) -> None:
    """What root makes in somebody's folder is theirs."""
    if os.geteuid() == 0:
        info = os.fstat(folder)
        os.chown(name, info.st_uid, info.st_gid, dir_fd=folder, follow_symlinks=False)
