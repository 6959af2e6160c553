"""Files of the sandbox, served as uid 1000: opened once as a handle, judged by the server, then used by that same handle.

Nothing here forks, blocks on a FIFO, follows a magic link, or opens the judged path a second time by name.
"""

import contextlib
import errno
import os
import stat
import time
from collections.abc import Callable, Iterator

import kernel

MAX_HANDLES = 64
HANDLE_LIFE_S = 30.0
MAX_READ = 64 << 20
MAX_ENTRIES = 100_000
MAX_LISTING = 800_000  # bytes of JSON, below what a frame may hold
CHUNK = 1 << 19
MAX_LINKS = 40  # what the kernel itself follows
AT_FDCWD = -100

type Answer = dict[str, object]
type SendChunk = Callable[[bytes], None]


class Refused(Exception):
    """A file request cannot be served; the sentence says why."""


class Handle:
    """What was opened: `directory` and `name` say where a write goes, `file` is -1 where nothing exists yet."""

    __slots__ = ("directory", "file", "name", "real", "until")

    def __init__(self, file: int, directory: int, name: str, real: str, until: float) -> None:
        self.file, self.directory, self.name, self.real, self.until = file, directory, name, real, until

    def close(self) -> None:
        for handle in (self.file, self.directory):
            if handle >= 0:
                os.close(handle)


class Files:
    def __init__(self, user: kernel.AsUser) -> None:
        self.user = user
        self.handles: dict[int, Handle] = {}
        self.last = 0

    def answer(self, request: Answer, incoming: bytes, send: SendChunk) -> Answer:
        """Serve one request as uid 1000. Raises Refused or OSError with the reason."""
        self._expire()
        match request["do"]:
            case "resolve":
                return self._resolve(str(request["path"]))
            case "read":
                return self._read(request, send)
            case "write":
                return self._write(self._take(request), incoming, str(request["mode"]), request.get("unchanged_since"))
            case "list":
                return self._list(self._take(request), int(str(request["limit"])))
            case other:
                raise Refused(f"unknown file request {other!r}")

    def _expire(self) -> None:
        now = time.monotonic()
        stale = [number for number, handle in self.handles.items() if handle.until < now]
        for number in [*stale, *list(self.handles)[: max(0, len(self.handles) - len(stale) - MAX_HANDLES)]]:
            with contextlib.suppress(KeyError):
                self.handles.pop(number).close()

    def _take(self, request: Answer) -> Handle:
        handle = self.handles.pop(int(str(request["handle"])), None)
        if handle is None:
            raise Refused("the file handle has expired; ask again")
        return handle

    # --- resolving ---------------------------------------------------------------------------------------------------

    def _resolve(self, path: str) -> Answer:
        """Open `path`, links followed but no magic ones; where it does not exist, its nearest existing folder."""
        with self.user:
            handle = _open_target(path)
        self.last += 1
        self.handles[self.last] = handle
        answer: Answer = {"handle": self.last, "real": handle.real, "exists": handle.file >= 0}
        if handle.file >= 0:
            info = os.fstat(handle.file)
            answer |= {"type": _kind(info.st_mode), "size": info.st_size, "dev": info.st_dev, "ino": info.st_ino}
        return answer

    # --- using what was judged ---------------------------------------------------------------------------------------

    def _read(self, request: Answer, send: SendChunk) -> Answer:
        """Send the bytes; with `keep` the handle stays, for an edit that writes back what it read."""
        handle, offset, limit = self._take(request), int(str(request["offset"])), int(str(request["limit"]))
        if request["keep"]:
            self.handles[int(str(request["handle"]))] = handle
        with contextlib.nullcontext() if request["keep"] else _closing(handle), self.user:
            info = _regular(handle)
            file = os.open(f"/proc/self/fd/{handle.file}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                sent = 0
                while sent < min(limit, MAX_READ):
                    data = os.pread(file, min(CHUNK, limit - sent), offset + sent)
                    if not data:
                        break
                    send(data)
                    sent += len(data)
            finally:
                os.close(file)
        return {"size": info.st_size, "sent": sent, "mtime_ns": info.st_mtime_ns, "mode": stat.S_IMODE(info.st_mode)}

    def _write(self, handle: Handle, content: bytes, mode: str, unchanged_since: object) -> Answer:
        with _closing(handle), self.user:
            if handle.file >= 0:
                info = _regular(handle)
                if unchanged_since is not None and info.st_mtime_ns != unchanged_since:
                    raise Refused("it changed meanwhile; read it again")
                if mode == "create":
                    raise Refused("it exists already; use mode=overwrite to replace it")
            directory, name = _make_parents(handle)
            try:
                if mode == "append" and handle.file >= 0:
                    return _append(handle, content)
                return _replace(directory, name, handle, content)
            finally:
                os.close(directory)

    def _list(self, handle: Handle, limit: int) -> Answer:
        with _closing(handle), self.user:
            if handle.file < 0:
                raise FileNotFoundError(errno.ENOENT, "no such directory", handle.real)
            if not stat.S_ISDIR(os.fstat(handle.file).st_mode):
                raise Refused("it is not a directory; read it with file_read")
            folder = os.open(f"/proc/self/fd/{handle.file}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                names = sorted(os.listdir(folder)[:MAX_ENTRIES])
                return {"total": len(names), "entries": _entries(folder, names[:limit])}
            finally:
                os.close(folder)


@contextlib.contextmanager
def _closing(handle: Handle) -> Iterator[None]:
    try:
        yield
    finally:
        handle.close()


def _open_target(path: str) -> Handle:
    """Walk to the file itself. A missing last part, or a dangling link to one, resolves to where it would be made."""
    until = time.monotonic() + HANDLE_LIFE_S
    for _ in range(MAX_LINKS):
        try:
            file = kernel.openat2(AT_FDCWD, path, os.O_PATH, kernel.RESOLVE_NO_MAGICLINKS)
            found = _with_directory(file, until)
            if found is not None:
                return found
        except FileNotFoundError:
            parent, name = _nearest(path)
            try:
                where = os.readlink(f"/proc/self/fd/{parent}")
                link = _link(name, parent)
                if link is None:
                    return Handle(-1, os.dup(parent), name, os.path.join(where, name), until)
                path = os.path.join(where, link)
            finally:
                os.close(parent)
    raise Refused("too many symbolic links")


def _link(name: str, parent: int) -> str | None:
    try:
        return os.readlink(name, dir_fd=parent)
    except OSError:
        return None


def _with_directory(file: int, until: float) -> Handle | None:
    """The file with the folder that holds it; None where somebody moved things meanwhile, and the walk starts again.

    Whatever happens, no descriptor is left over: a sandbox that could make us lose them would end us.
    """
    handle = Handle(file, -1, "", "", until)
    try:
        real = os.readlink(f"/proc/self/fd/{file}")
        name = os.path.basename(real)
        directory = kernel.openat2(AT_FDCWD, os.path.dirname(real), os.O_PATH, kernel.RESOLVE_NO_MAGICLINKS)
        handle.directory, handle.name, handle.real = directory, name, real
        if not name:
            return handle
        entry, opened = os.stat(name, dir_fd=directory, follow_symlinks=False), os.fstat(file)
        if (entry.st_dev, entry.st_ino) == (opened.st_dev, opened.st_ino):
            handle.real = os.path.join(os.readlink(f"/proc/self/fd/{directory}"), name)
            return handle
    except FileNotFoundError:
        pass
    except BaseException:
        handle.close()
        raise
    handle.close()
    return None


def _nearest(path: str) -> tuple[int, str]:
    """A handle of the deepest existing folder on the way, and what is missing below it."""
    missing: list[str] = []
    while True:
        head, tail = os.path.split(path.rstrip("/"))
        missing.insert(0, tail)
        if tail in ("..", "."):
            raise Refused("the path goes through a folder that does not exist")
        try:
            handle = kernel.openat2(AT_FDCWD, head or "/", os.O_PATH | os.O_DIRECTORY, kernel.RESOLVE_NO_MAGICLINKS)
            return handle, "/".join(missing)
        except FileNotFoundError:
            path = head
            if len(missing) == 1 and os.path.islink(head):
                raise Refused("a folder on the way is a dangling link") from None


def _kind(mode: int) -> str:
    kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link", stat.S_IFIFO: "fifo"}
    return kinds.get(stat.S_IFMT(mode), "device or socket")


def _regular(handle: Handle) -> os.stat_result:
    if handle.file < 0:
        raise FileNotFoundError(errno.ENOENT, "no such file", handle.real)
    info = os.fstat(handle.file)
    if stat.S_ISDIR(info.st_mode):
        raise Refused("it is a directory; list it with file_list")
    if not stat.S_ISREG(info.st_mode):
        raise Refused(f"it is a {_kind(info.st_mode)}, not a regular file")
    return info


def _make_parents(handle: Handle) -> tuple[int, str]:
    """The folder that the file goes into, folders made on the way, none of them a link."""
    directory, parts = os.dup(handle.directory), handle.name.split("/")
    for part in parts[:-1]:
        with contextlib.suppress(FileExistsError):
            os.mkdir(part, 0o755, dir_fd=directory)
        inner = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
        os.close(directory)
        directory = inner
    return directory, parts[-1]


def _append(handle: Handle, content: bytes) -> Answer:
    file = os.open(f"/proc/self/fd/{handle.file}", os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _write_all(file, content)
        return {"size": os.fstat(file).st_size, "created": False}
    finally:
        os.close(file)


def _replace(directory: int, name: str, handle: Handle, content: bytes) -> Answer:
    """Write beside it and rename over it, so that a reader sees the old file or the new one, never half of one."""
    mode = stat.S_IMODE(os.fstat(handle.file).st_mode) & 0o777 if handle.file >= 0 else 0o644
    temporary = f".{name[:100]}.{os.urandom(6).hex()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(temporary, flags, mode, dir_fd=directory)
    try:
        os.fchmod(file, mode)
        _write_all(file, content)
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=directory)
        raise
    finally:
        os.close(file)
    return {"size": len(content), "created": handle.file < 0}


def _write_all(file: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(file, view) :]


def _entries(folder: int, names: list[str]) -> list[Answer]:
    """As many as an answer holds: names of bytes that are no text grow sixfold in JSON."""
    entries, room = [], MAX_LISTING
    for name in names:
        room -= 6 * len(name) + 100
        if room < 0:
            break
        entries.append(_entry(folder, name))
    return entries


def _entry(folder: int, name: str) -> Answer:
    try:
        info = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError as exc:
        return {"name": name, "type": os.strerror(exc.errno or 0), "size": 0}
    return {"name": name, "type": _kind(info.st_mode), "size": info.st_size, "mtime": int(info.st_mtime)}
