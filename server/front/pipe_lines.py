"""Standard input and output as the SDK's stdio transport takes them: lines of text, without a thread for each.

The SDK's own files cost a call three ways to a worker thread and back, a millisecond of it. Only pipes and sockets are
read and written like this, which is what a client starts us with; for anything else the SDK's own way stays.
"""

import os
import select
import socket
import stat
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, Self

import anyio

_RECEIVE: Final = 1 << 18
_PIPE_BYTES: Final = 4096  # POSIX's least PIPE_BUF: so much goes into a pipe that poll calls writable, and nobody waits


def can_be_awaited(descriptor: int) -> bool:
    """Whether the loop can wait for it: files cannot be waited for, and a terminal is somebody's own."""
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


class PipeReader:
    """An async iterator of lines, each with its line feed; what is not UTF-8 is replaced."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._waiting = bytearray()
        self._looked = 0  # so far there is no line feed

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while (end := self._waiting.find(b"\n", self._looked) + 1) == 0:
            self._looked = len(self._waiting)
            await anyio.wait_readable(self._descriptor)
            data = os.read(self._descriptor, _RECEIVE)
            if not data:
                end = len(self._waiting)
                break
            self._waiting += data
        if not end:
            raise StopAsyncIteration
        line = self._waiting[:end].decode("utf-8", "replace")
        del self._waiting[:end]
        self._looked = 0
        return line


class PipeWriter:
    """Writes text whole, waiting for a reader that is slow. The descriptor may be shared, so its flags stay as they are."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._left = bytearray()
        self._room = select.poll()
        self._room.register(descriptor, select.POLLOUT)
        is_socket = stat.S_ISSOCK(os.fstat(descriptor).st_mode)
        self._socket = socket.socket(fileno=os.dup(descriptor)) if is_socket else None

    async def write(self, text: str) -> None:
        """Where it is given up, what is left goes before the next: half a line would spoil the wire. Not for two at once.

        Raises BrokenPipeError where nobody reads any more.
        """
        self._left += text.encode("utf-8", "replace")
        while self._left:
            if not self._room.poll(0):
                await anyio.wait_writable(self._descriptor)
            with memoryview(self._left) as left:
                sent = self._send(left)
            del self._left[:sent]

    def _send(self, data: memoryview) -> int:
        if self._socket is None:
            return os.write(self._descriptor, data[:_PIPE_BYTES])
        try:
            return self._socket.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()


@contextmanager
def standard_pipes() -> Generator[tuple[PipeReader, PipeWriter] | None]:
    """The client's ends, as long as we serve; None where they cannot be awaited.

    Meanwhile 0 leads nowhere and 1 to stderr: what a handler or a child of ours reads or prints misses the wire.
    """
    if not (can_be_awaited(0) and can_be_awaited(1)):
        yield None
        return
    ends = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(nowhere, 0)
    os.close(nowhere)
    os.dup2(2, 1)
    writer = PipeWriter(ends[1])
    try:
        yield PipeReader(ends[0]), writer
    finally:
        writer.close()
        for standard, end in enumerate(ends):
            os.dup2(end, standard)
            os.close(end)
