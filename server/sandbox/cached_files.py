"""The operator's files that a prepared environment is made from, read without following anybody's links.

In a writable workspace an agent may have put a link in a file's place: what it leads to is not the operator's to give.
"""

import errno
import os
import stat
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import Final

MAX_BYTES: Final = 16 << 20  # of one file; what decides a set of packages is a lock file, not a data set
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a FIFO must not be waited for


class BadCachedFile(Exception):
    """A file of `cache_on` is a link, no regular file, too large, or not to be read."""


def read_all(root: Path, names: Iterable[str]) -> dict[str, bytes]:
    """Each file's bytes by its name, relative to `root`; one that is not there is left out."""
    found = {name: _read(root, name) for name in names}
    return {name: content for name, content in found.items() if content is not None}


def _read(root: Path, name: str) -> bytes | None:
    *folders, last = PurePosixPath(name).parts
    with ExitStack() as opened:
        try:
            handle = _open(opened, root, None)
            for folder in folders:
                handle = _open(opened, folder, handle)
            return _content(os.open(last, _FILE, dir_fd=handle), name)
        except FileNotFoundError:
            return None
        except OSError as exc:
            why = "it, or a folder on the way, is a link" if exc.errno in (errno.ELOOP, errno.ENOTDIR) else exc.strerror
            raise BadCachedFile(f"{name} in {root}, which cache_on names, cannot be used: {why}") from exc


def _open(opened: ExitStack, folder: Path | str, within: int | None) -> int:
    handle = os.open(folder, _FOLDER, dir_fd=within)
    opened.callback(os.close, handle)
    return handle


def _content(handle: int, name: str) -> bytes:
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise BadCachedFile(f"{name}, which cache_on names, is no regular file; name files one by one")
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise BadCachedFile(
            f"{name}, which cache_on names, is larger than {MAX_BYTES >> 20} MiB; name a smaller one that changes with it"
        )
    return content
