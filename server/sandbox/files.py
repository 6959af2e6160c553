"""What the file tools do with an opened file: lines, exact edits, and words for what went wrong."""

import base64
import difflib
from dataclasses import dataclass
from typing import Literal

from policy.verdict import Permit
from server.sandbox.sandbox import FileRefused, Found, Sandbox, WriteMode

MAX_TEXT = 16 << 20  # bytes of one file that a text read or an edit takes in
MAX_BASE64 = 8 << 20
MAX_DIFF_LINES = 200
NEAR_BYTES = 1 << 20  # a larger file is not searched for what was nearly meant
IMAGES = {b"\x89PNG\r\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"RIFF": "image/webp"}

type Encoding = Literal["text", "base64"]


@dataclass(frozen=True, slots=True)
class Text:
    """Lines `first` to `last` of `total`, 1-based; `next_offset` where more follows. cut: the file is longer than read."""

    text: str
    first: int
    last: int
    total: int
    next_offset: int | None
    cut: bool


@dataclass(frozen=True, slots=True)
class Binary:
    """A file's bytes; `mime` where it is an image that a client can show."""

    data: bytes
    size: int
    mime: str | None

    @property
    def base64(self) -> str:
        return base64.b64encode(self.data).decode()


@dataclass(frozen=True, slots=True)
class Written:
    path: str
    size: int
    created: bool


@dataclass(frozen=True, slots=True)
class Edited:
    path: str
    replacements: int
    diff: str


async def read(
    sandbox: Sandbox, permit: Permit, found: Found, offset: int, limit: int, encoding: Encoding
) -> Text | Binary:
    """`limit` lines from line `offset`; or all bytes, for base64 and for images."""
    if encoding == "base64":
        content = await sandbox.read(permit, found, MAX_BASE64)
        if content.size > MAX_BASE64:
            raise FileRefused(f"it has {content.size} bytes; base64 reads are limited to {MAX_BASE64}")
        return Binary(content.data, content.size, None)
    content = await sandbox.read(permit, found, MAX_TEXT)
    if mime := _image(content.data):
        return Binary(content.data[:MAX_BASE64], content.size, mime)
    if b"\0" in content.data[:8192]:
        raise FileRefused(f"it is a binary file of {content.size} bytes; read it with encoding=base64")
    lines = content.data.decode("utf-8", "replace").splitlines(keepends=True)
    first = max(1, offset)
    chosen = lines[first - 1 : first - 1 + limit]
    last = first - 1 + len(chosen)
    more = last + 1 if last < len(lines) else None
    return Text("".join(chosen), first, last, len(lines), more, content.size > len(content.data))


def _image(data: bytes) -> str | None:
    found = next((mime for magic, mime in IMAGES.items() if data.startswith(magic)), None)
    return None if found == "image/webp" and data[8:12] != b"WEBP" else found


def decode(content: str, encoding: Encoding) -> bytes:
    """The bytes to write. Raises FileRefused for text that is not base64 or holds half a surrogate pair."""
    try:
        return base64.b64decode(content, validate=True) if encoding == "base64" else content.encode()
    except ValueError as exc:
        raise FileRefused(f"content is not valid {encoding}: {exc}") from exc


async def write(sandbox: Sandbox, permit: Permit, found: Found, content: bytes, mode: WriteMode) -> Written:
    created = await sandbox.write(permit, found, content, mode)
    size = len(content) + (found.size if mode == "append" else 0)
    return Written(found.real, size, created)


async def edit(sandbox: Sandbox, permit: Permit, found: Found, old: str, new: str, *, replace_all: bool) -> Edited:
    """Replace `old` by `new`, exactly once or everywhere. Raises FileRefused with what is near."""
    content = await sandbox.read(permit, found, MAX_TEXT, keep=True)
    if content.size > len(content.data):
        raise FileRefused(f"it has {content.size} bytes; edits are limited to {MAX_TEXT}")
    try:
        before = content.data.decode()
    except UnicodeDecodeError as exc:
        raise FileRefused("it is not UTF-8 text; change it with a shell command") from exc
    count = _occurrences(before, old, new, replace_all=replace_all)
    after = before.replace(old, new)
    await sandbox.write(permit, found, after.encode(), "overwrite", unchanged_since=content.mtime_ns)
    return Edited(found.real, count, _diff(before, after, found.real))


def _occurrences(before: str, old: str, new: str, *, replace_all: bool) -> int:
    if not old:
        raise FileRefused("old is empty; to create a file use file_write")
    if old == new:
        raise FileRefused("old and new are the same text; nothing to change")
    count = before.count(old)
    if count == 0:
        raise FileRefused(f"old was not found{_near(before, old)}")
    if count > 1 and not replace_all:
        raise FileRefused(
            f"old is there {count} times (lines {_lines(before, old)}); add lines around it, or set replace_all"
        )
    return count


def _lines(before: str, old: str) -> str:
    places, at = list[str](), before.find(old)
    while at >= 0 and len(places) < 10:  # noqa: PLR2004 - enough to see which ones
        places.append(str(before.count("\n", 0, at) + 1))
        at = before.find(old, at + len(old))
    return ", ".join(places)


def _near(before: str, old: str) -> str:
    """What in the file is nearly `old`: a different indent, or the closest run of lines."""
    if len(before) > NEAR_BYTES:
        return ""
    lines, wanted = before.splitlines(), old.strip("\n").splitlines()
    stripped = [line.strip() for line in lines]
    first = wanted[0].strip() if wanted else ""
    close = difflib.get_close_matches(first, stripped, n=1, cutoff=0.6)
    if not close:
        return "; no line of the file is near it: read the file first"
    at = stripped.index(close[0])
    near = "\n".join(lines[at : at + min(len(wanted), 12)])
    return f"; nearest, at line {at + 1}:\n{near}"


def _diff(before: str, after: str, path: str) -> str:
    lines = list(
        difflib.unified_diff(before.splitlines(), after.splitlines(), f"a{path}", f"b{path}", lineterm="", n=2)
    )
    more = [f"... {len(lines) - MAX_DIFF_LINES} more lines of diff"] if len(lines) > MAX_DIFF_LINES else []
    return "\n".join([*lines[:MAX_DIFF_LINES], *more])
