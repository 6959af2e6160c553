"""What files and folders hold, as digests: a person's yes is bound to them. As uid 1000; nothing is forked or blocked on."""

import errno
import os
import stat
from _sha2 import sha256  # type: ignore[import-not-found]  # hashlib would bring OpenSSL, 5 MB of every sandbox

import opening

MOST_BYTES = 64 << 20
MOST_ENTRIES = 2_000  # of all folders: about 100 ms in which nobody else is served
MOST_DEPTH = 20
CHUNK = 1 << 19
# No file that a command could read: 0 is what `opening` says of folders, FIFOs, and ways that lead nowhere.
NOT_THERE = (0, errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL)

type Answer = dict[str, object]


def answer(request: Answer) -> Answer:
    """What the regular files among `paths` hold, and the `folders`, as far as `most` bytes of all go: sha256 of each.

    What is no such thing, or may not be read by a command either, is left out; whatever else goes wrong is an error.
    """
    room = Room(min(int(str(request["most"])), MOST_BYTES))
    paths, folders = request["paths"], request["folders"]
    files = [_file(str(path), room) for path in (paths if isinstance(paths, list) else [])]
    trees = [_folder(str(path), room) for path in (folders if isinstance(folders, list) else [])]
    return {"files": [found for found in (*files, *trees) if found]}


class Room:
    """What is left for the files after this one: bytes, and entries of folders."""

    def __init__(self, size: int) -> None:
        self.size, self.entries = size, MOST_ENTRIES


def _file(path: str, room: Room) -> Answer | None:
    try:
        size, hashed, digest = _content(path, room)
    except (OSError, opening.Refused) as exc:
        return _not_there(exc)
    return {"path": path, "size": size, "hashed": hashed, "sha256": digest}


def _not_there(exc: OSError | opening.Refused) -> None:
    """Raises what means anything else."""
    if (exc.errno if isinstance(exc, OSError) else exc.number) not in NOT_THERE:
        raise exc


def _content(path: str, room: Room) -> tuple[int, int, str]:
    """Size, bytes hashed, sha256 of those. Raises OSError or opening.Refused for what is no regular file, or closed."""
    handle = opening.open_target(path)
    try:
        size = opening.regular(handle).st_size
        file = opening.reopen(handle, os.O_RDONLY)
        try:
            whole, hashed = sha256(), 0
            while data := os.pread(file, min(CHUNK, room.size - hashed), hashed):
                whole.update(data)
                hashed += len(data)
        finally:
            os.close(file)
        room.size -= hashed
        return size, hashed, whole.hexdigest()
    finally:
        handle.close()


def _folder(path: str, room: Room) -> Answer | None:
    """Told with a slash at its end: `size` is how many entries were found, `hashed` how many of them are held as a whole."""
    try:
        handle = opening.open_target(path)
        try:
            if handle.file < 0 or not stat.S_ISDIR(os.fstat(handle.file).st_mode):
                return None
            folder = opening.reopen(handle, os.O_RDONLY | os.O_DIRECTORY)
            try:
                tree = Tree(room)
                tree.take(folder, handle.real, 0)
            finally:
                os.close(folder)
        finally:
            handle.close()
    except (OSError, opening.Refused) as exc:
        return _not_there(exc)
    return {"path": f"{path}/", "size": tree.found, "hashed": tree.held, "sha256": tree.whole.hexdigest()}


class Tree:
    """Everything in a folder, hidden or not: names, kinds, which may be run, links, what files hold.

    A link is held with what its file holds; what lies in a folder that a link leads to is not, nor what is too much.
    """

    def __init__(self, room: Room) -> None:
        self.room, self.whole, self.found, self.held = room, sha256(), 0, 0

    def take(self, folder: int, path: str, depth: int) -> None:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry, _ in zip(entries, range(self.room.entries + 1), strict=False))
        self.found += len(names)
        for name in names[: self.room.entries]:
            self.room.entries -= 1
            self._entry(folder, name, f"{path.rstrip('/')}/{name}", depth)

    def _entry(self, folder: int, name: str, path: str, depth: int) -> None:
        try:
            info = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:  # somebody is quicker: it was there, and is not held
            return
        told: list[object] = [path, stat.S_IFMT(info.st_mode), info.st_mode & 0o111]
        if stat.S_ISDIR(info.st_mode):
            held = depth < MOST_DEPTH and self._inside(folder, name, path, depth)
        else:
            link = os.readlink(name, dir_fd=folder) if stat.S_ISLNK(info.st_mode) else ""
            size, hashed, digest = self._target(path)
            held = size == hashed
            told += [link, digest]
        self.held += held
        self.whole.update(repr(told).encode("utf-8", "surrogateescape"))

    def _inside(self, parent: int, name: str, path: str, depth: int) -> bool:
        """Whether it could be looked into."""
        try:
            folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        except PermissionError:
            return True  # no command can look into it either
        try:
            self.take(folder, path, depth + 1)
        finally:
            os.close(folder)
        return True

    def _target(self, path: str) -> tuple[int, int, str]:
        """As `_content`; of what is no file, or closed, nothing, and of a link to a folder less than all."""
        try:
            return _content(path, self.room)
        except (OSError, opening.Refused) as exc:
            _not_there(exc)
            return int(os.path.isdir(path)), 0, ""
