"""The folders that one running server owns, held by a lock that dies with it; what a dead server left is swept away."""

import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LOCK = "server.lock"
SOCKET_PATH_LIMIT = 107  # bytes, the kernel's sun_path
LONGEST_SOCKET = "00000000/000000000000/control.sock"  # server, sandbox, socket


class NotPrivate(Exception):
    """The folder for sockets cannot be used: not ours alone, not a folder, or its path is too long."""


@dataclass(frozen=True, slots=True)
class Folders:
    """`sockets`: a folder for each sandbox below it. `output`: what commands wrote."""

    sockets: Path
    output: Path


@contextmanager
def own(runtime: Path, output: Path, server_id: str) -> Iterator[Folders]:
    """Make this server's folders, and remove those of servers that are gone. Raises NotPrivate."""
    _check_length(runtime)
    _private(runtime)
    output.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sweep(runtime, output)
    ours = Folders(runtime / server_id, output / server_id)
    ours.sockets.mkdir(mode=0o700)
    ours.output.mkdir(mode=0o700)
    lock = os.open(ours.sockets / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield ours
    finally:
        _remove(ours)
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


def _sweep(runtime: Path, output: Path) -> None:
    for folder in runtime.iterdir():
        if (folder / LOCK).exists() and _is_abandoned(folder / LOCK):
            _remove(Folders(folder, output / folder.name))
    for folder in output.iterdir():
        if not (runtime / folder.name).exists():
            shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(lock: Path) -> bool:
    handle = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


def _remove(folders: Folders) -> None:
    for folder in (folders.output, folders.sockets):
        shutil.rmtree(folder, ignore_errors=True)
