"""Folders of the host that the operator lends to sandboxes, and the checks that each must pass first.

A workspace is resolved when the settings load, opened component by component without following a link, and remembered
by device and inode; inside the sandbox the same pair is compared before anything may use it (the engine resolves mount
sources again, as root).
"""

import os
import pwd
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, assert_never

from server.sandbox.sandbox import WORKSPACE, Copy, Mount, SandboxSpec
from server.sandbox.worktree import repository_of

type Mode = Literal["copy", "rw", "ro"]
_MODES: Final[tuple[Mode, ...]] = ("copy", "rw", "ro")

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


class NoSuchWorkspace(Exception):
    """The operator lends no folder of that name, or more than one."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """A checked folder: what becomes of it in a sandbox, and whose it is."""

    lent: Mount | Copy
    uid: int
    gid: int


def parse(text: str) -> tuple[Path, Mode]:
    """`DIR`, `DIR:copy`, `DIR:rw` or `DIR:ro` as on the command line."""
    folder, colon, word = text.rpartition(":")
    if not colon or "/" in word:  # a folder's own name may have a colon in it
        folder, word = text, "copy"
    mode = next((mode for mode in _MODES if mode == word), None)
    if not folder or mode is None:
        raise BadWorkspace(
            f"{text}: the folder is copied (DIR), or lent as it is: DIR:rw (the agent changes it) or DIR:ro (it only reads)"
        )
    return Path(folder), mode


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
        raise BadWorkspace(
            f"{real} belongs to root; lend a folder of a user's, or say --allow-root-owned (in settings: allow_root_owned = true)"
        )
    return Workspace(_lent(real, mode, info), info.st_uid, info.st_gid)


def _lent(real: Path, mode: Mode, info: os.stat_result) -> Mount | Copy:
    match mode:
        case "copy":
            return Copy(str(real), _target(real), info.st_dev, info.st_ino)
        case "rw" | "ro":
            return Mount(str(real), _target(real), mode == "ro", info.st_dev, info.st_ino)
        case _:
            assert_never(mode)


def _resolved(path: Path) -> Path:
    try:
        return path.expanduser().resolve(strict=True)
    except (OSError, RuntimeError) as exc:
        raise BadWorkspace(f"{path.absolute()} cannot be lent: {getattr(exc, 'strerror', None) or exc}") from exc


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


def place_inside(path: Path) -> str:
    """Where that folder of the host would be in a sandbox, checked or not."""
    real = path.expanduser().absolute().resolve()
    return _target(real) if len(real.parts) > 1 else str(real)


def _target(real: Path) -> str:
    """Its own path inside too, because IDE agents send host paths."""
    return f"{WORKSPACE}/{real.name}" if real.parts[1] in SYSTEM else str(real)


def check_all(
    wanted: Iterable[tuple[Path, Mode]], private: Iterable[Path], *, allow_root_owned: bool
) -> tuple[Workspace, ...]:
    """All of them, none inside another, those that are mounted of one owner. Raises BadWorkspace."""
    kept = [folder.resolve() for folder in private]
    spaces = tuple(check(path, mode, kept, allow_root_owned=allow_root_owned) for path, mode in wanted)
    sources = [Path(space.lent.source) for space in spaces]
    for number, source in enumerate(sources):
        for other in sources[number + 1 :]:
            if source.is_relative_to(other) or other.is_relative_to(source):
                raise BadWorkspace(f"of {source} and {other} one lies in the other; lend only the outer one")
    if len({space.uid for space in spaces if isinstance(space.lent, Mount)}) > 1:
        raise BadWorkspace("the workspaces belong to different users; commands run as one")
    return spaces + tuple(_repositories(spaces, sources, kept, allow_root_owned=allow_root_owned))


def _repositories(
    spaces: Iterable[Workspace], lent: Iterable[Path], private: Iterable[Path], *, allow_root_owned: bool
) -> Iterator[Workspace]:
    """What git worktrees need beside themselves to be worked in: held to the same checks."""
    copied = [Path(space.lent.source) for space in spaces if isinstance(space.lent, Copy)]
    found = {repository for folder in copied if (repository := repository_of(folder)) is not None}
    for repository in sorted(found):
        if not any(repository.is_relative_to(source) for source in lent):
            space = check(repository, "copy", private, allow_root_owned=allow_root_owned)
            if isinstance(space.lent, Copy) and space.lent.target == str(repository):
                yield replace(space, lent=replace(space.lent, whole=True))


def only(spec: SandboxSpec, named: str) -> SandboxSpec:
    """The same with one of its folders alone, named by its path or the last part of it. Raises NoSuchWorkspace.

    A worktree keeps the repository that it belongs to.
    """
    lent: list[Copy | Mount] = [*(copy for copy in spec.copies if not copy.whole), *spec.mounts]
    found = [each for each in lent if named in (each.target, each.source, Path(each.target).name)]
    if len(found) != 1:
        there = ", ".join(each.target for each in lent)
        said = f"there is no workspace {named}" if not found else f"{named} is the name of several workspaces"
        raise NoSuchWorkspace(f"{said}; this server lends {there or 'none'}")
    repository = repository_of(Path(found[0].source)) if isinstance(found[0], Copy) else None
    copies = (copy for copy in spec.copies if copy == found[0] or (copy.whole and Path(copy.source) == repository))
    return replace(spec, copies=tuple(copies), mounts=tuple(mount for mount in spec.mounts if mount == found[0]))
