"""The file that the chain is written to: one line at a time under a lock, closed and begun anew where it grows large or old.

Several servers may share it: each append takes the lock and goes on from the last line, in whichever file that is.
"""

import errno
import fcntl
import json
import os
import stat
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from server.record.chain import Clock, Head, digest_of, encoded, head_of
from server.record.segments import Segments

TAIL: Final = 1 << 16  # longer than most lines: every field that comes from outside is capped
RESERVE: Final = 2 << 20  # bytes that are left to lines of what has begun, where nothing new may
READERS: Final = 0o440  # which of a closed file's permissions the next one takes over

type Fsync = Literal["always", "interval"]


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a file is closed, and how many closed ones are kept. 0: never, and all."""

    bytes: int = 0
    age_s: float = 0.0
    keep: int = 0


NEVER: Final = Rotation()


class ChainFile:
    """Each method raises OSError where the file cannot be used. Any thread may write."""

    def __init__(self, path: Path, fsync: Fsync, rotation: Rotation) -> None:
        self._segments, self._fsync, self._rotation = Segments(path), fsync, rotation
        self._turn, self._clock = threading.Lock(), Clock()
        self._file, self._size = -1, -1
        self._head = self._synced = Head()
        self._began: tuple[int, float] = (1, 0.0)  # of the file that is written: its first line, and when that was

    @property
    def head(self) -> Head:
        """After the last line that this process wrote or went on from."""
        return self._head

    def append(self, kind: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """One more line, as it was written."""
        with self._turn:
            self._locked()
            try:
                if self._is_full(now := time.time()):
                    self._close_and_go_on(now)
                return self._put(kind, fields, now)
            finally:
                if self._file >= 0:
                    fcntl.flock(self._file, fcntl.LOCK_UN)

    def need_room(self) -> None:
        """Raises OSError where a call that begins now may find no room for its end."""
        if self._file >= 0:  # else nothing has been written yet, and the first line shows it
            disk = os.fstatvfs(self._file)
            if disk.f_bavail * disk.f_frsize < RESERVE:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def sync(self) -> None:
        """Put on disk what was written since, for which no line waits; and see whether the file is still where it was."""
        with self._turn:
            file = os.dup(self._file) if self._file >= 0 else -1
            if file >= 0 and not self._is_current(os.fstat(file)):
                self._size = -1
            head = self._head
        if file >= 0:
            try:
                if head != self._synced:
                    os.fdatasync(file)
                    self._synced = head
            finally:
                os.close(file)

    def close(self) -> None:
        with self._turn:
            if self._file >= 0:
                os.fdatasync(self._file)
                self._let_go()

    # --- one line ----------------------------------------------------------------------------------------------------

    def _put(self, kind: str, fields: Mapping[str, Any], now: float) -> Mapping[str, Any]:
        sequence, stamp = self._head.sequence + 1, self._clock.stamp(now)
        document = {"sequence": sequence, "time": stamp, "kind": kind, **fields, "previous": self._head.digest}
        line = encoded(document)
        try:
            written = os.write(self._file, line + b"\n")
        except OSError:
            self._size = -1  # whatever of it is there is looked at before the next
            raise
        if written != len(line) + 1:
            self._take_back()
        if self._fsync == "always":
            os.fdatasync(self._file)
        if not self._size:
            self._began = (sequence, now)
        self._head, self._size = Head(sequence, digest_of(line), stamp), self._size + written
        return document

    def _take_back(self) -> None:
        """No half of a line stays."""
        os.ftruncate(self._file, self._size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    # --- where the chain goes on -------------------------------------------------------------------------------------

    def _locked(self) -> None:
        """The file that is written just now is open and ours, and we know its last line."""
        while True:
            self._open()
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                info = os.fstat(self._file)
                if info.st_size == self._size and info.st_nlink:
                    return
                if self._is_current(info) and self._catch_up(info.st_size):
                    return
            except BaseException:
                self._let_go()
                raise
            self._let_go()

    def _open(self) -> None:
        if self._file >= 0:
            return
        path = self._segments.current
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600 | self._readers())
        info = os.fstat(file)
        if info.st_uid not in (os.geteuid(), 0) or info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            os.close(file)
            raise PermissionError(errno.EPERM, "somebody else may write it, so nothing in it would prove anything")
        self._file, self._size = file, -1

    def _readers(self) -> int:
        """Who may read the next one beside its owner: whoever may read the last, whichever server closed that."""
        for path in reversed(self._segments.closed()):
            with suppress(FileNotFoundError):
                return stat.S_IMODE(path.stat().st_mode) & READERS
        return 0

    def _let_go(self) -> None:
        os.close(self._file)  # and the lock with it
        self._file = -1

    def _is_current(self, info: os.stat_result) -> bool:
        """Whether what we have open is what lies under the name: it may have been closed by another, or taken away."""
        try:
            named = self._segments.current.stat()
        except OSError:
            return False
        return (named.st_dev, named.st_ino) == (info.st_dev, info.st_ino)

    def _catch_up(self, size: int) -> bool:
        """Go on from the last line that is there. False where that says that this file is closed."""
        before = self._head
        lines, torn = _last_lines(self._file, size)
        last = lines[-1] if lines else self._end_of_closed()
        self._head, self._size = (head_of(last) if last else None) or Head(), size - len(torn)
        self._began = _beginning(self._file, self._size) or (self._head.sequence + 1, time.time())
        if torn:
            self._set_aside(torn)
        closing = json.loads(lines[-1]) if lines else {}
        if closing.get("kind") == "audit.rotated":
            self._rename(closing["file"])  # whoever closed it was ended before it could
            return False
        if self._head.sequence < before.sequence:
            lost = {"had": before.sequence, "digest": before.digest, "found": self._head.sequence}
            self._put("server.recovered", {"reason": "lines that this server wrote are gone", **lost}, time.time())
        return True

    def _end_of_closed(self) -> bytes | None:
        """The last line of the newest closed file, whose chain goes on in an empty one."""
        for path in reversed(self._segments.closed()):
            with path.open("rb") as file:
                lines, _ = _last_lines(file.fileno(), os.fstat(file.fileno()).st_size)
            if lines:
                return lines[-1]
        return None

    def _set_aside(self, torn: bytes) -> None:
        """What a crash left of a line is kept in a file of its own, and the chain goes on after the last whole one."""
        kept = self._segments.keep_aside(self._head.sequence + 1, torn)
        os.ftruncate(self._file, self._size)
        facts = {"bytes": len(torn), "sha256": digest_of(torn), "file": kept.name}
        self._put("server.recovered", {"reason": "the end of the file was no whole line", **facts}, time.time())

    # --- rotation ----------------------------------------------------------------------------------------------------

    def _is_full(self, now: float) -> bool:
        limit, age = self._rotation.bytes, self._rotation.age_s
        return self._size > 0 and bool((limit and self._size >= limit) or (age and now - self._began[1] >= age))

    def _close_and_go_on(self, now: float) -> None:
        name = self._segments.named(self._began[0]).name
        self._put("audit.rotated", {"file": name}, now)
        self._rename(name)
        self._let_go()
        self._locked()
        self._remove_oldest(now)

    def _rename(self, name: str) -> None:
        os.fdatasync(self._file)
        current = self._segments.current
        current.rename(current.with_name(Path(name).name))
        folder = os.open(current.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _remove_oldest(self, now: float) -> None:
        """Recorded first: that the chain then begins later is nobody's doing but the settings'."""
        closed = self._segments.closed()
        going = closed[: -self._rotation.keep] if self._rotation.keep else []
        if going:
            with going[-1].open("rb") as file:
                lines, _ = _last_lines(file.fileno(), os.fstat(file.fileno()).st_size)
            last = (head_of(lines[-1]) if lines else None) or Head()
            facts = {"files": [path.name for path in going], "through": last.sequence, "digest": last.digest}
            self._put("audit.removed", facts, now)
        for path in going:
            path.unlink()


# --- reading what is there --------------------------------------------------------------------------------------------


def _last_lines(file: int, size: int) -> tuple[list[bytes], bytes]:
    """The last whole lines of a file, at least one where there is one, and what stands after them that is none."""
    reach = TAIL
    while True:
        start = max(0, size - reach)
        tail = os.pread(file, reach, start)
        pieces = tail.split(b"\n")
        whole = pieces[0 if start == 0 else 1 : -1]
        while whole and head_of(whole[-1]) is None:
            whole.pop()
        if whole or start == 0:
            end = tail.rfind(whole[-1] + b"\n") + len(whole[-1]) + 1 if whole else 0
            return whole, tail[end:]
        reach *= 4


def _beginning(file: int, size: int) -> tuple[int, float] | None:
    """The number and the time of a file's first line."""
    head = head_of(os.pread(file, min(size, TAIL), 0).partition(b"\n")[0])
    return (head.sequence, datetime.fromisoformat(head.time).astimezone(UTC).timestamp()) if head else None
