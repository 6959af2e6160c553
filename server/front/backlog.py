"""What is to be written to a client that does not read: beyond a bound no further request of it is taken.

Each answer that waits is held by the task that made it, and nothing else ends that: a client that only wrote once made a
server of 111 MB one of 700.
"""

from types import TracebackType
from typing import Final, Never, Protocol, Self

import anyio
from mcp.shared.message import SessionMessage

MOST_WAITING: Final = 256  # messages; calls that run when it is reached may come on top, which the limits bound
MOST_SIZE: Final = 16 << 20  # characters of them all


class Writer(Protocol):
    async def write(self, text: str) -> None: ...


class Stream:
    """One end of stdio as the SDK takes streams: it closes them, but the descriptor is another's to close."""

    async def aclose(self) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class Backlog(Stream):
    """The stream of messages to the client that the SDK asks for: each is a line, written whole by the task it comes from."""

    def __init__(self, writer: Writer) -> None:
        self._writer, self._waiting, self._size = writer, 0, 0
        self._turn, self._fewer = anyio.Lock(fast_acquire=True), anyio.Event()
        self._left, self._why = anyio.Event(), OSError()

    @property
    def _is_full(self) -> bool:
        return self._waiting >= MOST_WAITING or self._size >= MOST_SIZE

    async def room(self) -> None:
        """Until few enough wait. A client that reads never notices."""
        while self._is_full:
            self._fewer = anyio.Event()
            await self._fewer.wait()

    async def watch(self) -> Never:
        """Raises what writing met where nobody reads any more: an answer that cannot be told ends the server, not a call."""
        await self._left.wait()
        raise self._why

    async def send(self, item: SessionMessage, /) -> None:
        await self.write(item.message.model_dump_json(by_alias=True, exclude_unset=True))

    async def write(self, line: str) -> None:
        """Raises BrokenResourceError, which the SDK passes over."""
        self._waiting += 1
        self._size += len(line)
        try:
            async with self._turn:
                await self._writer.write(f"{line}\n")
        except OSError as exc:
            self._why = exc
            self._left.set()
            raise anyio.BrokenResourceError from exc
        finally:
            self._waiting -= 1
            self._size -= len(line)
            self._fewer.set()
