"""Folders of the host, reached and walked by descriptors: no component of a path is ever followed through a link."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a FIFO must not be waited for


class Swapped(Exception):
    """A folder of the host is not the one that was checked when the settings were read."""


class Held:
    """A descriptor of its own, closed with the last who holds it: a thread may outlive whoever started it."""

    __slots__ = ("handle",)

    def __init__(self, handle: int) -> None:
        self.handle = os.dup(handle)

    def __del__(self) -> None:
        os.close(self.handle)


@contextmanager
def opened(path: Path, identity: tuple[int, int] | None = None) -> Iterator[int]:
    """A descriptor of that folder, component by component. Raises OSError, and Swapped where it is another by now."""
    handle = os.open("/", FOLDER)
    try:
        for part in path.parts[1:]:
            handle = _step(handle, part)
        info = os.fstat(handle)
        if identity is not None and (info.st_dev, info.st_ino) != identity:
            raise Swapped(f"{path} was swapped for another folder since it was checked; start again")
        yield handle
    finally:
        os.close(handle)


@contextmanager
def below(root: int, parts: Sequence[str]) -> Iterator[int]:
    """A descriptor of a folder below. Raises OSError: ELOOP or ENOTDIR where a part of it is a link or a file."""
    handle = os.dup(root)
    try:
        for part in parts:
            handle = _step(handle, part)
        yield handle
    finally:
        os.close(handle)


def _step(handle: int, part: str) -> int:
    """One folder down; the descriptor of the one above is closed where that went well."""
    inner = os.open(part, FOLDER, dir_fd=handle)
    os.close(handle)
    return inner


def read_small(folder: int, name: str, most: int) -> bytes | None:
    """A regular file's first bytes; None where there is none, or it is something else, or it cannot be read."""
    try:
        handle = os.open(name, FILE, dir_fd=folder)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        return file.read(most) if stat.S_ISREG(os.fstat(handle).st_mode) else None
