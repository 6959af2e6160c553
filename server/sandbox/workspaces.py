"""Folders of the host that the operator lends to sandboxes, and the checks that each must pass first.

A workspace is resolved when the settings load, opened component by component without following a link, and remembered
by device and inode; inside the sandbox the same pair is compared before anything may use it (the engine resolves mount
sources again, as root).
"""

import os
import pwd
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from server.sandbox.sandbox import WORKSPACE, Mount

type Mode = Literal["rw", "ro"]

# What a mount must not cover in the sandbox: its own system. Such a folder goes to /workspace/NAME instead.
SYSTEM = (
    "bin",
    "boot",
    "dev",
    "etc",
    "lib",
    "lib32",
    "lib64",
    "opt",
    "proc",
    "run",
    "sbin",
    "sys",
    "usr",
    "var",
    "workspace",
)


class BadWorkspace(Exception):
    """A folder cannot be lent to a sandbox; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """A checked folder: where it goes, and whose it is."""

    mount: Mount
    uid: int
    gid: int


def parse(text: str) -> tuple[Path, Mode]:
    """`DIR:rw` or `DIR:ro` as on the command line; the mode must be named."""
    folder, colon, mode = text.rpartition(":")
    if not folder or not colon or mode not in ("rw", "ro"):
        raise BadWorkspace(f"{text}: say how it is lent, {text}:rw (the agent changes it) or {text}:ro (it only reads)")
    return Path(folder), "rw" if mode == "rw" else "ro"


def check(path: Path, mode: Mode, private: Iterable[Path], *, allow_root_owned: bool) -> Workspace:
    """Open it and look at what it really is. Raises BadWorkspace."""
    real = _resolved(path)
    info = _open_without_links(real)
    homes = {Path(entry.pw_dir) for entry in pwd.getpwall() if entry.pw_dir not in ("", "/")}
    if real == Path("/") or real in homes or real == Path("/root"):
        raise BadWorkspace(
            f"{real} is a whole {'file system' if real == Path('/') else 'home directory'}; lend a folder in it"
        )
    for folder in private:
        if real.is_relative_to(folder) or folder.is_relative_to(real):
            raise BadWorkspace(
                f"{real} and {folder}, which Sandgate or the Docker engine keeps for itself, lie in each other"
            )
    if info.st_uid == 0 and not allow_root_owned:
        raise BadWorkspace(f"{real} belongs to root; lend a folder of a user's, or say --allow-root-owned")
    mount = Mount(str(real), _target(real), mode == "ro", info.st_dev, info.st_ino)
    return Workspace(mount, info.st_uid, info.st_gid)


def _resolved(path: Path) -> Path:
    try:
        return path.expanduser().resolve(strict=True)
    except (OSError, RuntimeError) as exc:
        raise BadWorkspace(f"{path} cannot be lent: {getattr(exc, 'strerror', None) or exc}") from exc


def _open_without_links(real: Path) -> os.stat_result:
    """What is there now, reached without a link: a component swapped since it was resolved is an error."""
    handle = os.open("/", os.O_PATH | os.O_DIRECTORY)
    try:
        for part in real.parts[1:]:
            inner = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
            os.close(handle)
            handle = inner
        return os.fstat(handle)
    except OSError as exc:
        raise BadWorkspace(f"{real} is not a folder that can be opened: {exc.strerror}") from exc
    finally:
        os.close(handle)


def _target(real: Path) -> str:
    """Its own path inside too, because IDE agents send host paths."""
    return f"{WORKSPACE}/{real.name}" if real.parts[1] in SYSTEM else str(real)


def check_all(
    wanted: Iterable[tuple[Path, Mode]], private: Iterable[Path], *, allow_root_owned: bool
) -> tuple[Workspace, ...]:
    """All of them, none inside another, all of one owner. Raises BadWorkspace."""
    kept = [folder.resolve() for folder in private]
    spaces = tuple(check(path, mode, kept, allow_root_owned=allow_root_owned) for path, mode in wanted)
    sources = [Path(space.mount.source) for space in spaces]
    for number, source in enumerate(sources):
        for other in sources[number + 1 :]:
            if source.is_relative_to(other) or other.is_relative_to(source):
                raise BadWorkspace(f"of {source} and {other} one lies in the other; lend only the outer one")
    if len({space.uid for space in spaces}) > 1:
        raise BadWorkspace("the workspaces belong to different users; commands run as one")
    return spaces
