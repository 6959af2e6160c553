"""Frames between the agent and its server, over one unix socket.

A frame is a 5-byte head (big-endian length of what follows, then a kind) and a body. Kind 0 is a JSON object. Kind 1 is
a job's bytes, which only the agent sends: job (u32), stream (u8: 1 out, 2 err), data. Kind 2 is bytes that belong to a
request, a file's or a program's input: request (u32), data.
"""

import json
import socket
import struct
from collections import deque

JSON, JOB, FILE = 0, 1, 2
MAX_BODY = 1 << 20
HEAD = struct.Struct(">IB")
JOB_HEAD = struct.Struct(">IB")
FILE_HEAD = struct.Struct(">I")
HIGH_WATER = 4 << 20  # queued bytes above which the agent stops reading its commands' pipes
BATCH = 64  # buffers a sendmsg takes; the kernel's own limit is 1,024


class BadFrame(Exception):
    """The other side sent something that is not a frame."""


class Wire:
    """Non-blocking frames on one connected socket; queues what the kernel does not take yet."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self._in = bytearray()
        self._out: deque[memoryview] = deque()
        self.queued = 0

    def receive(self) -> list[tuple[int, bytes]]:
        """Every whole frame that has arrived. Raises ConnectionError when the server is gone."""
        try:
            data = self.sock.recv(1 << 18)
        except BlockingIOError:
            return []
        if not data:
            raise ConnectionResetError("server closed the connection")
        self._in += data
        return list(iter(self._take, None))

    def _take(self) -> tuple[int, bytes] | None:
        if len(self._in) < HEAD.size:
            return None
        length, kind = HEAD.unpack_from(self._in)
        if length > MAX_BODY:
            raise BadFrame(f"frame of {length} bytes")
        end = HEAD.size + length
        if len(self._in) < end:
            return None
        body = bytes(self._in[HEAD.size : end])
        del self._in[:end]
        return kind, body

    def say(self, message: dict[str, object]) -> None:
        body = json.dumps(message).encode()
        self._queue(HEAD.pack(len(body), JSON) + body)

    def job_bytes(self, job: int, stream: int, data: bytes) -> None:
        self._queue(HEAD.pack(JOB_HEAD.size + len(data), JOB) + JOB_HEAD.pack(job, stream))
        self._queue(data)

    def file_bytes(self, request: int, data: bytes) -> None:
        self._queue(HEAD.pack(FILE_HEAD.size + len(data), FILE) + FILE_HEAD.pack(request))
        self._queue(data)

    def _queue(self, data: bytes) -> None:
        self._out.append(memoryview(data))
        self.queued += len(data)

    def flush(self) -> None:
        """Hand the kernel what it takes. Raises ConnectionError when the server is gone."""
        while self._out:
            try:
                sent = self.sock.sendmsg([self._out[i] for i in range(min(BATCH, len(self._out)))])
            except BlockingIOError:
                return
            self.queued -= sent
            self._drop(sent)

    def _drop(self, sent: int) -> None:
        while sent:
            first = self._out[0]
            if len(first) > sent:
                self._out[0] = first[sent:]
                return
            sent -= len(first)
            self._out.popleft()
