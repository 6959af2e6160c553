"""Putting content into a sandbox's file."""

import base64
from dataclasses import dataclass
from typing import Literal

from policy.verdict import Permit
from server.sandbox.sandbox import FileRefused, Found, Sandbox, WriteMode

MAX_WRITTEN = 32 << 20  # bytes: PID 1 of the sandbox holds them until they are written

type Encoding = Literal["text", "base64"]


@dataclass(frozen=True, slots=True)
class Written:
    """`names`: how many the file before it had; those that were not asked for still have its content."""

    path: str
    size: int
    created: bool
    names: int = 1


def decode(content: str, encoding: Encoding) -> bytes:
    """The bytes to write. Raises FileRefused for text that is not base64 or holds half a surrogate pair."""
    try:
        data = base64.b64decode(content, validate=True) if encoding == "base64" else content.encode()
    except ValueError as exc:
        raise FileRefused(f"content is not valid {encoding}: {exc}; nothing was written") from exc
    if len(data) > MAX_WRITTEN:
        raise FileRefused(
            f"content has {len(data)} bytes, and {MAX_WRITTEN} can be written at once; add with mode=append"
        )
    return data


async def write(sandbox: Sandbox, permit: Permit, found: Found, content: bytes, mode: WriteMode) -> Written:
    stored = await sandbox.write(permit, found, content, mode)
    return Written(found.real, stored.size, stored.created, stored.names)
