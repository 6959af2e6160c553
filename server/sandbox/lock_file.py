"""A lock between processes: shared by many or held alone. Of a process that died the kernel lets it go."""

import fcntl
import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import anyio

LOOK_AGAIN_S = 0.05


class LockFile:
    """`path` is made where it is not there; its folder too, for its owner alone."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def shared(self, look_again_s: float = LOOK_AGAIN_S) -> "Shared":
        """Once nobody has it alone."""
        shared = Shared(self._path)
        try:
            while not shared.held():  # noqa: ASYNC110 - another process sets no event of ours
                await anyio.sleep(look_again_s)
        except BaseException:
            shared.close()
            raise
        return shared

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Whether nobody else has it, in any way; as long as that is so nobody else gets it."""
        handle = _opened(self._path)
        try:
            yield taken(handle)
        finally:
            os.close(handle)

    @asynccontextmanager
    async def once_alone(self, look_again_s: float) -> AsyncGenerator[None]:
        """Until nobody else has it, however long that takes."""
        handle = _opened(self._path)
        try:
            while not taken(handle):  # noqa: ASYNC110 - another process sets no event of ours
                await anyio.sleep(look_again_s)
            yield
        finally:
            os.close(handle)


class Shared:
    """Let go when this and every copy of its handle is closed."""

    def __init__(self, path: Path) -> None:
        self._handle = _opened(path)

    def held(self) -> bool:
        return taken(self._handle, fcntl.LOCK_SH)

    def close(self) -> None:
        os.close(self._handle)

    def __enter__(self) -> int:
        return self._handle

    def __exit__(self, *_: object) -> None:
        self.close()


def taken(handle: int, how: int = fcntl.LOCK_EX) -> bool:
    """An open file's lock, alone unless otherwise said, if that can be had at once."""
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _opened(path: Path) -> int:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
