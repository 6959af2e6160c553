"""Files of the sandbox, served as uid 1000: opened once as a handle, judged by the server, then used by that same handle.

Nothing here forks, blocks on a FIFO, follows a magic link, or opens the judged path a second time by name.
"""

import contextlib
import itertools
import os
import stat
import time
from collections.abc import Callable

import digests
import kernel
import opening
import writing

MAX_HANDLES = 64
MAX_READ = 64 << 20
MAX_ENTRIES = 100_000  # of a directory that are looked at: more would hold up the loop and be PID 1's memory
MAX_LISTING = 800_000  # bytes of JSON, below what a frame may hold
CHUNK = 1 << 19

type Answer = dict[str, object]
type SendChunk = Callable[[bytes], None]


class Files:
    def __init__(self, user: kernel.AsUser) -> None:
        self.user = user
        self.handles: dict[int, opening.Handle] = {}
        self.last = 0

    def answer(self, request: Answer, incoming: bytes, send: SendChunk) -> Answer:
        """Serve one request as uid 1000. Raises opening.Refused or OSError with the reason."""
        self._expire()
        match request["do"]:
            case "resolve":
                return self._resolve(str(request["path"]))
            case "read":
                return self._read(request, send)
            case "add":
                return self._add(request, incoming)
            case "write":
                return self._write(request, incoming)
            case "drop":
                self._close(self.take(request))
                return {}
            case "list":
                return self._list(request)
            case "digest":
                with self.user:
                    return digests.answer(request)
            case other:
                raise opening.Refused(f"unknown file request {other!r}")

    def _expire(self) -> None:
        now = time.monotonic()
        stale = [number for number, handle in self.handles.items() if handle.until < now]
        for number in [*stale, *list(self.handles)[: max(0, len(self.handles) - len(stale) - MAX_HANDLES)]]:
            with contextlib.suppress(KeyError):
                self._close(self.handles.pop(number))

    def _close(self, handle: opening.Handle) -> None:
        with self.user:
            handle.close()

    def _keep(self, request: Answer, handle: opening.Handle) -> None:
        """For another request that names it."""
        handle.until = time.monotonic() + opening.HANDLE_LIFE_S
        self.handles[int(str(request["handle"]))] = handle

    def take(self, request: Answer) -> opening.Handle:
        """The handle that a request names; it is the taker's to close."""
        handle = self.handles.pop(int(str(request["handle"])), None)
        if handle is None:
            raise opening.Refused("the file handle has expired; ask again")
        return handle

    def _resolve(self, path: str) -> Answer:
        """Open `path`, links followed but no magic ones; where it does not exist, its nearest existing folder."""
        with self.user:
            handle = opening.open_target(path)
        self.last += 1
        self.handles[self.last] = handle
        answer: Answer = {"handle": self.last, "real": handle.real, "exists": handle.file >= 0}
        if handle.file >= 0:
            info = os.fstat(handle.file)
            answer |= {"type": opening.kind(info.st_mode), "size": info.st_size}
            answer |= {"dev": info.st_dev, "ino": info.st_ino, "executable": bool(info.st_mode & 0o111)}
        return answer

    def _read(self, request: Answer, send: SendChunk) -> Answer:
        """Send bytes from `offset` on; with `keep` the handle stays, to read on or to write back what was read."""
        handle = self.take(request)
        try:
            answer = self._send(handle, int(str(request["offset"])), int(str(request["limit"])), send)
        except BaseException:
            handle.close()
            raise
        if request["keep"]:
            self._keep(request, handle)
        else:
            handle.close()
        return answer

    def _send(self, handle: opening.Handle, offset: int, limit: int, send: SendChunk) -> Answer:
        with self.user:
            info = opening.regular(handle)
            file = opening.reopen(handle, os.O_RDONLY)
            try:
                sent, limit = 0, min(limit, MAX_READ)
                while sent < limit:
                    data = os.pread(file, min(CHUNK, limit - sent), offset + sent)
                    if not data:
                        break
                    send(data)
                    sent += len(data)
            finally:
                os.close(file)
        handle.seen = handle.seen or info
        return {"size": info.st_size, "sent": sent}

    def _add(self, request: Answer, content: bytes) -> Answer:
        handle = self.take(request)
        try:
            with self.user:
                writing.add(handle, content)
        except BaseException:
            self._close(handle)
            raise
        self._keep(request, handle)
        return {}

    def _write(self, request: Answer, content: bytes) -> Answer:
        handle, mode = self.take(request), str(request["mode"])
        unchanged, executable = bool(request["unchanged"]), bool(request.get("executable"))
        try:
            with self.user:
                return writing.write(handle, content, mode, unchanged=unchanged, executable=executable)
        finally:
            self._close(handle)

    def _list(self, request: Answer) -> Answer:
        handle = self.take(request)
        try:
            with self.user:
                return _listing(handle, int(str(request["limit"])))
        finally:
            handle.close()


def _listing(handle: opening.Handle, limit: int) -> Answer:
    """The first `limit` names in order; `whole` is False where the directory has more than are ever looked at."""
    if handle.file < 0:
        raise opening.missing(handle)
    if not stat.S_ISDIR(os.fstat(handle.file).st_mode):
        raise opening.Refused("it is not a directory; read it with file_read")
    folder = opening.reopen(handle, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in itertools.islice(entries, MAX_ENTRIES + 1))
        whole = len(names) <= MAX_ENTRIES
        return {"total": len(names[:MAX_ENTRIES]), "whole": whole, "entries": _entries(folder, names[:limit])}
    finally:
        os.close(folder)


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
    return {"name": name, "type": opening.kind(info.st_mode), "size": info.st_size, "mtime": int(info.st_mtime)}


def has_openat2() -> bool:
    try:
        os.close(kernel.openat2(opening.AT_FDCWD, "/", os.O_PATH, kernel.RESOLVE_NO_MAGICLINKS))
    except OSError:
        return False
    return True
