"""A folder inside a sandbox as its agent tells it: records that are bounded, checked for shape, and otherwise not believed.

What is told is kept in a file without a name, for it may be gigabytes; it is read apart in a thread.
"""

import os
import stat
import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final, Literal

import anyio
import anyio.to_thread

from policy.verdict import Permit
from server.sandbox.sandbox import MIB, Exit, Sandbox

HEAD: Final = struct.Struct(">cIQII")  # kind, mode, size, length of the path, length of the blob
MAX_PATH: Final = 1 << 17
MAX_BLOB: Final = 1 << 18
MAX_RECORDS: Final = 1_000_000
MAX_SIZE: Final = 1 << 48  # of a file: no place in one is that far
MAX_TOLD: Final = 512 * MIB  # names and hashes; files have their own bound
KILL: Final = 9

type Verb = Literal["names", "hashes", "files"]


class BadReading(Exception):
    """What a sandbox told of a folder is too much, is not whole, or makes no sense."""


@dataclass(frozen=True, slots=True)
class Record:
    """`at`: where its bytes begin in what was told, for a file that was asked for."""

    kind: bytes
    path: str
    mode: int
    size: int
    blob: bytes
    at: int = 0


class Telling:
    """Where a reading goes as it comes. Called from the link's reader; a write to a file without a name is short."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._file, self._most = file, most
        self.total, self.said, self.over, self.end = 0, b"", anyio.Event(), Exit("running")

    def write(self, stream: int, data: bytes) -> None:
        if stream != 1:
            self.said = (self.said + data)[:200]
            return
        self.total += len(data)
        if self.total <= self._most:
            self._file.write(data)
        else:
            self.over.set()

    def ended(self, end: Exit) -> None:
        self.end = end
        self.over.set()

    def cleared(self) -> None: ...


async def tell(
    sandbox: Sandbox, permit: Permit, verb: Verb, folder: str, told: bytes, most: int = MAX_TOLD
) -> IO[bytes]:
    """What came, rewound, for `records`. Raises BadReading. Whoever asked closes it."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - handed on
    try:
        telling = Telling(file, most)
        running = await sandbox.look(permit, verb, folder, told, telling)
        try:
            await telling.over.wait()
        finally:
            if telling.end.status == "running":
                with anyio.CancelScope(shield=True):
                    await running.stop(KILL, "cancelled", 0)
        _check(telling, folder, most)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _check(telling: Telling, folder: str, most: int) -> None:
    if telling.total > most:
        raise BadReading(f"{folder} holds more than can be looked through; delete what is not needed in it")
    if telling.end.exit_code != 0:
        why = telling.said.decode("utf-8", "replace") or telling.end.detail or telling.end.status
        raise BadReading(f"{folder} could not be looked through in the sandbox: {why}")


def records(file: IO[bytes], *, with_files: bool = False) -> Iterator[Record]:
    """Each of them, the end among what is checked. Raises BadReading."""
    for _ in range(MAX_RECORDS):
        kind, mode, size, long, wide = HEAD.unpack(_exactly(file, HEAD.size))
        if long > MAX_PATH or wide > MAX_BLOB:
            raise BadReading("the sandbox told of a path too long to be one")
        path, blob = os.fsdecode(_exactly(file, long)), _exactly(file, wide)
        if kind == b".":
            return
        if kind not in b"fdlsui" or not is_below(path):
            raise BadReading("the sandbox told of a path that is none")
        at = file.tell()
        if with_files and kind == b"f" and size > MAX_SIZE:
            raise BadReading("the sandbox told of a file larger than any")
        yield Record(kind, path, stat.S_IMODE(mode) & 0o777, size, blob, at)
        if with_files and kind == b"f":
            file.seek(at + size)  # wherever whoever took the record has read
    raise BadReading(f"the sandbox told of more than {MAX_RECORDS} files")


def _exactly(file: IO[bytes], count: int) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise BadReading("the sandbox broke off while it told of a folder")
    return data


def is_below(path: str) -> bool:
    """A path relative to a folder, in its shortest form: nothing of it can lead out."""
    return bool(path) and "\0" not in path and not any(part in ("", ".", "..") for part in path.split("/"))
