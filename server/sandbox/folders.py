"""The folders that one running server owns, held by a lock that dies with it; what a dead server left is swept away."""

import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from server.sandbox.lock_file import taken

LOCK = "server.lock"
ENDING = "ending"  # beside it: what its server holds is about to be put down
SOCKET_PATH_LIMIT = 107  # bytes, the kernel's sun_path
LONGEST_SOCKET = "00000000/000000000000/control.sock"  # server, sandbox, socket


class NotPrivate(Exception):
    """The folder for sockets cannot be used: not ours alone, not a folder, or its path is too long."""


@dataclass(frozen=True, slots=True)
class Folders:
    """`sockets`: a folder for each sandbox below it. `output`: a folder for each session, shared by all servers."""

    sockets: Path
    output: Path
    servers: Path
    server_id: str
    known: Callable[[], frozenset[str]]

    def ending(self) -> None:
        """From now on others may wait for what we hold."""
        with suppress(OSError):  # else they go their own way
            (self.servers / self.server_id / ENDING).touch()

    def remove(self) -> None:
        """Ours and dead servers', but for what may still wait to be adopted. Nobody takes us for alive after this."""
        kept = self.known()
        for place in (self.servers / self.server_id, self.sockets):
            _remove(place, kept)
        with suppress(OSError):  # else the next server does it
            for place in (self.servers, self.sockets.parent):
                with _alone(place):
                    _sweep(place, self.known)

    def alive(self, server_id: str) -> bool:
        """Whether a server of this installation lives, this one included."""
        return not _is_abandoned(self.servers / server_id / LOCK)

    def ends(self, server_id: str) -> bool:
        """Whether it lives and is about to end."""
        return (self.servers / server_id / ENDING).exists() and self.alive(server_id)


@contextmanager
def own(runtime: Path, state: Path, server_id: str, known: Callable[[], frozenset[str]]) -> Iterator[Folders]:
    """Make this server's folders, and remove those of servers that are gone. Raises NotPrivate.

    known: ids of the sessions and sandboxes that are written down. What they need stays, whoever made it.
    """
    _check_length(runtime)
    _private(runtime)
    ours = Folders(runtime / server_id, state / "jobs", state / "servers", server_id, known)
    held: list[int] = []
    try:
        for folder in (ours.sockets, ours.servers / server_id):
            folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _alone(folder.parent):
                _sweep(folder.parent, known)
                folder.mkdir(mode=0o700)
                held.append(_hold(folder / LOCK))
        _sweep_output(ours.output, known)
        yield ours
    finally:
        ours.remove()
        for lock in held:
            os.close(lock)


def _check_length(runtime: Path) -> None:
    longest = runtime / LONGEST_SOCKET
    over = len(os.fsencode(longest)) - SOCKET_PATH_LIMIT
    if over > 0:
        raise NotPrivate(
            f"{runtime} is {over} bytes too long for the sockets below it (the kernel takes {SOCKET_PATH_LIMIT}); "
            "set SANDGATE_RUNTIME_DIR to a shorter folder"
        )


def _private(runtime: Path) -> None:
    """Ours alone: in a folder for everyone, such as /tmp, somebody may have made it first."""
    try:
        runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
        info = runtime.lstat()
    except OSError as exc:
        raise NotPrivate(f"{runtime} cannot be used for sockets ({exc.strerror}); set SANDGATE_RUNTIME_DIR") from exc
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid() or info.st_mode & 0o077:
        raise NotPrivate(
            f"{runtime} is not a folder of yours alone (mode 0700); remove it, or set SANDGATE_RUNTIME_DIR"
        )


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Nobody else makes or sweeps folders in here meanwhile: a newcomer's is never taken for a dead one's."""
    handle = _hold(place / LOCK)
    try:
        yield
    finally:
        os.close(handle)


def _hold(lock: Path) -> int:
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def _sweep(place: Path, known: Callable[[], frozenset[str]]) -> None:
    """Each place by its own locks: two servers may share the one and not the other."""
    dead = [folder for folder in place.iterdir() if folder.is_dir() and _is_abandoned(folder / LOCK)]
    kept = known() if dead else frozenset[str]()
    for folder in dead:
        _remove(folder, kept)


def _remove(folder: Path, known: frozenset[str]) -> None:
    """All of it but the folders of sandboxes that may still wait to be adopted."""
    inside = list[Path]()
    with suppress(FileNotFoundError):  # it has gone: its own server, which just ends, or another one was quicker
        inside += [entry for entry in folder.iterdir() if entry.is_dir()]
    for entry in inside:
        if entry.name not in known:
            shutil.rmtree(entry, ignore_errors=True)
    if not any(entry.name in known for entry in inside):
        shutil.rmtree(folder, ignore_errors=True)


def _sweep_output(place: Path, known: Callable[[], frozenset[str]]) -> None:
    """A session is written down before it has a folder, so one that is not is over."""
    there = list(place.iterdir()) if place.is_dir() else []
    kept = known() if there else frozenset[str]()
    for folder in there:
        if folder.name not in kept:
            shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(lock: Path) -> bool:
    try:
        handle = os.open(
            lock, os.O_RDONLY | os.O_CLOEXEC
        )  # enough for a lock, also where nothing can be written any more
    except FileNotFoundError:
        return True
    try:
        return taken(handle, fcntl.LOCK_SH)  # of two that look at once neither takes the other for the server
    finally:
        os.close(handle)
