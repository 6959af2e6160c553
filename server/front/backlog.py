"""What is to be written to a client that does not read: beyond a bound no further request of it is taken.

Each answer that waits is held by the task that made it, and nothing else ends that: a client that only wrote once made a
server of 111 MB one of 700.
"""

from types import TracebackType
from typing import Any, Final, Protocol, Self

import anyio

MOST_WAITING: Final = 256  # messages; calls that run when it is reached may come on top, which the limits bound
MOST_SIZE: Final = 16 << 20  # characters of them all


class Stream(Protocol):
    async def send(self, item: Any, /) -> None: ...

    async def aclose(self) -> None: ...


class Backlog:
    """The SDK's stream of messages to the client, which counts those that wait to be taken."""

    def __init__(self, stream: Stream) -> None:
        self._stream, self._waiting, self._size = stream, 0, 0
        self._fewer = anyio.Event()

    @property
    def _is_full(self) -> bool:
        return self._waiting >= MOST_WAITING or self._size >= MOST_SIZE

    async def room(self) -> None:
        """Until few enough wait. A client that reads never notices."""
        while self._is_full:
            self._fewer = anyio.Event()
            await self._fewer.wait()

    async def send(self, item: Any, /) -> None:
        size = _size(getattr(item.message, "result", None) or getattr(item.message, "params", None))
        self._waiting += 1
        self._size += size
        try:
            await self._stream.send(item)
        finally:
            self._waiting -= 1
            self._size -= size
            self._fewer.set()

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def _size(value: Any) -> int:
    """Characters of all text in it, which is nearly all of a large message."""
    match value:
        case str():
            return len(value)
        case dict():
            return sum(map(_size, value.values()))
        case list():
            return sum(map(_size, value))
        case _:
            return 0
