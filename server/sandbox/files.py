"""What the file tools do with an opened file: lines, exact edits, and words for what went wrong."""

import base64
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from policy.verdict import Permit
from server.sandbox.sandbox import FileRefused, Found, Sandbox, WriteMode

MAX_TEXT = 16 << 20  # bytes of one file that a text read or an edit takes in
MAX_BASE64 = 8 << 20
MAX_DIFF_LINES = 200
DIFF_WIDTH, CONTEXT = 400, 2  # characters of a line, lines around a change
NEAR_BYTES, NEAR_LINES, NEAR_WIDTH = 1 << 20, 3000, 200  # how far, and how wide, is looked for what was nearly meant
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
    return Edited(found.real, count, _diff(before, old, new, found.real))


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
    """What in the file is nearly `old`: the closest run of lines. Bounded, for this runs on the server's one loop."""
    lines, wanted = before[:NEAR_BYTES].splitlines()[:NEAR_LINES], old.strip("\n").splitlines()
    first = wanted[0].strip() if wanted else ""
    stripped = [line.strip()[:NEAR_WIDTH] for line in lines]
    close = difflib.get_close_matches(first[:NEAR_WIDTH], stripped, n=1, cutoff=0.6) if first else []
    if not close:
        return "; no line of the file is near it: read the file first"
    at = stripped.index(close[0])
    near = "\n".join(line[:NEAR_WIDTH] for line in lines[at : at + min(len(wanted), 12)])
    return f"; nearest, at line {at + 1}:\n{near}"


def _diff(before: str, old: str, new: str, path: str) -> str:
    """What changed, hunk by hunk: where is known, so nothing has to be compared."""
    lines = before.splitlines(keepends=True)
    out = [f"--- a{path}", f"+++ b{path}"]
    shift = 0
    for first, last in _changed(before, old):
        was = lines[first : last + 1]
        now = "".join(was).replace(old, new).splitlines(keepends=True)
        head, tail = lines[max(0, first - CONTEXT) : first], lines[last + 1 : last + 1 + CONTEXT]
        start = first - len(head) + 1
        sizes = len(head) + len(was) + len(tail), len(head) + len(now) + len(tail)
        out.append(f"@@ -{start},{sizes[0]} +{start + shift},{sizes[1]} @@")
        shift += len(now) - len(was)
        marked = [(" ", head), ("-", was), ("+", now), (" ", tail)]
        out += [f"{mark}{line.rstrip(chr(10))[:DIFF_WIDTH]}" for mark, part in marked for line in part]
        if len(out) > MAX_DIFF_LINES:
            return "\n".join([*out[:MAX_DIFF_LINES], "... more changes, not shown"])
    return "\n".join(out)


def _changed(before: str, old: str) -> Iterator[tuple[int, int]]:
    """First and last line (0-based) of each changed place; places on one line are one."""
    line, counted, at = 0, 0, before.find(old)
    pending: tuple[int, int] | None = None
    while at >= 0:
        line += before.count("\n", counted, at)
        counted = at
        last = line + before.count("\n", at, at + len(old) - 1)
        if pending is not None and line <= pending[1]:
            pending = pending[0], last
        else:
            if pending is not None:
                yield pending
            pending = line, last
        at = before.find(old, at + len(old))
    if pending is not None:
        yield pending
