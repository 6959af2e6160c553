"""What git leaves out of a folder without a .gitignore saying so: by its repository's own list, and by its person's for all of theirs.

That person is who runs this server. Their settings are their own and may be links; the repository's may be a stranger's.
"""

from contextlib import suppress
from pathlib import Path
from typing import Final

from server.sandbox.git_config import settings_of
from server.sandbox.host_folder import opened, read_small
from server.sandbox.ignore import MAX_BYTES, Ignore
from server.sandbox.worktree import repository_of

MOST_SETTINGS: Final = 1 << 18  # bytes of a person's settings that are read


def excludes(folder: Path) -> Ignore:
    """What holds in that folder below every .gitignore; what git would read elsewhere, as by an include, is not read."""
    found = Ignore()
    for content in (_personal(Path.home()), _of_repository(repository_of(folder) or folder / ".git")):
        found = found.with_file(content) if content else found
    return found


def _of_repository(repository: Path) -> bytes:
    with suppress(OSError), opened(repository / "info") as handle:
        return read_small(handle, "exclude", MAX_BYTES) or b""
    return b""


def _personal(home: Path) -> bytes:
    """core.excludesFile, the later of two files of settings first, or the one that git looks for without being told."""
    for settings in (home / ".gitconfig", home / ".config/git/config"):
        text = _read(settings, MOST_SETTINGS).decode("utf-8", "surrogateescape")
        named = [value for section, key, value in settings_of(text) if (section, key) == ("core", "excludesfile")]
        if named:
            return _read(home / named[-1].removeprefix("~/"), MAX_BYTES) if named[-1] else b""
    return _read(home / ".config/git/ignore", MAX_BYTES)


def _read(path: Path, most: int) -> bytes:
    with suppress(OSError, ValueError):  # a NUL in a name that settings hold
        if path.is_file():
            with path.open("rb") as file:
                return file.read(most)
    return b""
