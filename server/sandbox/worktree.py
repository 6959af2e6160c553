"""Where the repository of a git worktree lies: its `.git` is a file that names a folder elsewhere on the host.

That file lies in a folder that a stranger may have packed, so it is believed only where the folder it names points back:
nobody can make a private folder part of a sandbox by naming it.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from server.sandbox.host_folder import opened, read_small

MOST: Final = 4096  # bytes of a path in a file of git's


def repository_of(folder: Path) -> Path | None:
    """The repository that this worktree belongs to, outside of it; None where it is none, or that cannot be told."""
    named = _path_in(folder, ".git", "gitdir: ")
    if named is None:
        return None
    private = Path(os.path.normpath(folder / named))
    back, common = _path_in(private, "gitdir"), _path_in(private, "commondir")
    if back is None or common is None or Path(os.path.normpath(private / back)) != folder / ".git":
        return None
    repository = Path(os.path.normpath(private / common))
    if private.parent != repository / "worktrees" or repository.is_relative_to(folder):
        return None
    return repository


def _path_in(folder: Path, name: str, prefix: str = "") -> str | None:
    """The one line of that file, read without following a link anywhere on the way."""
    with suppress(OSError), opened(folder) as handle:
        line = os.fsdecode((read_small(handle, name, MOST) or b"").removesuffix(b"\n"))
        if line.startswith(prefix) and len(line) > len(prefix) and "\n" not in line and "\0" not in line:
            return line.removeprefix(prefix)
    return None
