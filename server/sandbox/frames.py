"""Frames between a running server and the command line: a length and a kind, then JSON or bytes."""

import json
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from server.sandbox.peer import peer

HEAD: Final = struct.Struct(">IB")
JSON: Final = 0
BYTES: Final = 1
MAX_BODY: Final = 64 << 20  # a list of every change of a large folder is one frame
PIECE: Final = 1 << 20


class BadFrame(Exception):
    """The other side of the operator's socket sent something that is not a frame."""


def address(folder: Path) -> str:
    """Where the server of that runtime folder listens: a name without a file, which dies with the server however it dies.

    Such a name has no mode: each side looks at who the other is.
    """
    return f"\0{folder / 'operator'}"


def is_ours(sock: socket.socket) -> bool:
    """Whether the other side is this user, or root."""
    return peer(sock).uid in (0, os.geteuid())


def message(value: dict[str, Any]) -> bytes:
    body = json.dumps(value).encode()
    if len(body) > MAX_BODY:
        raise BadFrame("there is more to tell than one answer holds; choose less with --only")
    return HEAD.pack(len(body), JSON) + body


def piece(data: bytes) -> bytes:
    return HEAD.pack(len(data), BYTES) + data


def taken(waiting: bytearray) -> Iterator[tuple[int, bytes]]:
    """Every whole frame of what has arrived, taken out of it. Raises BadFrame."""
    while len(waiting) >= HEAD.size:
        length, kind = HEAD.unpack_from(waiting)
        if length > MAX_BODY or kind not in (JSON, BYTES):
            raise BadFrame("that is no frame")
        end = HEAD.size + length
        if len(waiting) < end:
            return
        body = bytes(memoryview(waiting)[HEAD.size : end])
        del waiting[:end]
        yield kind, body
