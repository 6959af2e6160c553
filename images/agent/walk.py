"""Walking a folder by handles: each file is opened below its folder's handle, never through a link, never by a whole path.

In the order of their paths. What .gitignore hides is left out, and .git itself; hidden files are not.
"""

import contextlib
import errno
import itertools
import os
import stat
from collections.abc import Iterator

import ignore

MOST_ENTRIES = 100_000  # of one folder
MOST_DEPTH = 200  # folders in folders; one descriptor each
MOST_RULE_BYTES = 1 << 20
MOST_PARENTS = 64
VERSION_CONTROL = (".git", ".hg", ".svn", ".jj")
KERNELS = ("/proc", "/sys", "/dev")  # not files of anybody's; no file tool reads them
OPENING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a FIFO in a file's place does not block


class Entry:
    """A file or link that was found; `folder` is the handle that holds it, open only until the next is asked for."""

    __slots__ = ("folder", "is_link", "name", "path")

    def __init__(self, path: str, name: str, folder: int, *, is_link: bool) -> None:
        self.path, self.name, self.folder, self.is_link = path, name, folder, is_link

    def open(self) -> int:
        """The file's descriptor. Raises OSError, also where it is no regular file any more."""
        file = os.open(self.name, OPENING, dir_fd=self.folder)
        if stat.S_ISREG(os.fstat(file).st_mode):
            return file
        os.close(file)
        raise OSError(errno.EINVAL, "not a regular file")


class Walk:
    """From the folder `root`, whose real path is `real`. Afterwards `unread` counts the folders that could not be."""

    def __init__(self, root: int, real: str, glob: ignore.Glob | None) -> None:
        self.root, self.real, self.glob = root, real.rstrip("/"), glob
        self.unread = 0

    def __iter__(self) -> Iterator[Entry]:
        return self._below(self.root, "", _above(self.root), 0)

    def _below(self, folder: int, base: str, rules: list[ignore.Rules], depth: int) -> Iterator[Entry]:
        rules = [*rules, *_rules_of(folder, base)]
        for name, is_folder, is_link in self._entries(folder):
            path = f"{base}{name}"
            if is_folder:
                if not self._skipped(name, path) and not ignore.ignored(f"{path}/", rules):
                    yield from self._inside(folder, name, f"{path}/", rules, depth)
            elif (self.glob is None or self.glob.means(path)) and not ignore.ignored(path, rules):
                yield Entry(f"{self.real}/{path}", name, folder, is_link=is_link)

    def _inside(self, parent: int, name: str, base: str, rules: list[ignore.Rules], depth: int) -> Iterator[Entry]:
        if depth >= MOST_DEPTH:
            self.unread += 1
            return
        try:
            folder = os.open(name, OPENING | os.O_DIRECTORY, dir_fd=parent)
        except OSError:
            self.unread += 1
            return
        try:
            yield from self._below(folder, base, rules, depth + 1)
        finally:
            os.close(folder)

    def _entries(self, folder: int) -> list[tuple[str, bool, bool]]:
        """Name, whether a folder, whether a link; regular files and links and folders only."""
        found = []
        try:
            with os.scandir(folder) as entries:
                for entry in itertools.islice(entries, MOST_ENTRIES):
                    is_folder, is_link = entry.is_dir(follow_symlinks=False), entry.is_symlink()
                    if is_folder or is_link or entry.is_file(follow_symlinks=False):
                        found.append((entry.name, is_folder, is_link))
                self.unread += next(entries, None) is not None
        except OSError:
            self.unread += 1
        return sorted(found)

    def _skipped(self, name: str, path: str) -> bool:
        return name in VERSION_CONTROL or f"{self.real}/{path}" in KERNELS


def _rules_of(folder: int, base: str) -> list[ignore.Rules]:
    text = _small_text(folder, ".gitignore")
    return [ignore.Rules(text, base)] if text else []


def _small_text(folder: int, name: str) -> str:
    try:
        file = os.open(name, OPENING, dir_fd=folder)
    except OSError:
        return ""
    with contextlib.closing(os.fdopen(file, "rb")) as opened:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return ""
        return opened.read(MOST_RULE_BYTES).decode("utf-8", "surrogateescape")


class _Shifted(ignore.Rules):
    """A .gitignore above the walk: it sees the walk's paths with the folders in between before them."""

    __slots__ = ("between",)

    def __init__(self, text: str, between: str) -> None:
        super().__init__(text, "")
        self.between = between

    def verdict(self, path: str) -> bool | None:
        return super().verdict(self.between + path)


def _above(root: int) -> list[ignore.Rules]:
    """The .gitignore files of the folders above, outermost first, up to that of the repository; none outside of one."""
    found, between = list[ignore.Rules](), ""
    with contextlib.ExitStack() as opened, contextlib.suppress(OSError):  # what may not be looked at has no say
        folder = root
        for _ in range(MOST_PARENTS):
            if _has(folder, ".git"):
                return found[::-1]
            name = _name_of(folder)
            folder = os.open("..", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
            opened.callback(os.close, folder)
            if not name:
                break
            between = f"{name}/{between}"
            if text := _small_text(folder, ".gitignore"):
                found.append(_Shifted(text, between))
    return []


def _has(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return True


def _name_of(folder: int) -> str:
    return os.path.basename(os.readlink(f"/proc/self/fd/{folder}"))
