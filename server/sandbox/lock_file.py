"""A lock between processes: shared by many or held alone. Of a process that died the kernel lets it go."""

import fcntl
import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import anyio
import anyio.to_thread


class LockFile:
    """`path` is made where it is not there; its folder too, for its owner alone."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def shared(self) -> "Shared":
        """Once nobody has it alone."""
        return await anyio.to_thread.run_sync(Shared, self._path)

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Whether nobody else has it, in any way; as long as that is so nobody else gets it."""
        handle = _opened(self._path)
        try:
            yield _taken(handle)
        finally:
            os.close(handle)

    @asynccontextmanager
    async def once_alone(self, look_again_s: float) -> AsyncGenerator[None]:
        """Until nobody else has it, however long that takes."""
        handle = _opened(self._path)
        try:
            while not _taken(handle):  # noqa: ASYNC110 - another process sets no event of ours
                await anyio.sleep(look_again_s)
            yield
        finally:
            os.close(handle)


class Shared:
    """Let go when this and every copy of its handle is closed."""

    def __init__(self, path: Path) -> None:
        self._handle = _opened(path)
        fcntl.flock(self._handle, fcntl.LOCK_SH)

    def __enter__(self) -> int:
        return self._handle

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _opened(path: Path) -> int:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
