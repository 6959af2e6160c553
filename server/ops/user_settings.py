"""The user's own settings file, changed with its comments kept and in one step."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import tomlkit
from tomlkit import TOMLDocument

from server.ops.install import replace_file


class NotSaved(Exception):
    """The settings file could not be changed; the sentence says why."""


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """From what is read to what is saved: of two commands side by side, the later would take back what the earlier wrote.
    Raises NotSaved."""
    folder = path.resolve().parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as exc:
        raise _not_saved(path, exc) from exc
    try:
        with suppress(OSError):  # NFS locks no folder: there it goes on as if nobody else were at it
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def parsed(path: Path) -> TOMLDocument:
    """What is in it; an empty document where it is not there. Raises NotSaved."""
    try:
        return tomlkit.parse(path.read_bytes().decode())  # bytes: the ends of its lines stay as they are
    except FileNotFoundError:
        return tomlkit.document()
    except (OSError, ValueError) as exc:
        raise NotSaved(f"{path} cannot be read ({exc}); nothing was changed") from exc


def save(path: Path, text: str) -> None:
    """So that no server reads half of it; a link into someone's dotfiles stays a link. Raises NotSaved."""
    target = path.resolve()
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(target, text)
    except OSError as exc:
        raise _not_saved(path, exc) from exc


def _not_saved(path: Path, exc: OSError) -> NotSaved:
    return NotSaved(f"{path} cannot be written ({exc.strerror}); nothing was changed")
