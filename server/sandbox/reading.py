"""What a file read answers: lines of text, an image, or bytes; bounded, and what it took to make text of bytes is told."""

import base64
import re
from dataclasses import dataclass
from typing import Literal

from policy.verdict import Permit
from server.sandbox.sandbox import Content, FileRefused, Found, Sandbox

MAX_CHARS = 48_000  # of one answer: hosts put more than 50,000 aside, unread
MAX_LINES = 20_000
MAX_BASE64 = 8 << 20  # bytes
MAX_IMAGE = 15 << 18  # bytes; as base64 just below the 5 MB that models take
MAX_WIDE = 16 << 20  # bytes of a file whose lines cannot be found without decoding all of it
MAX_COUNTED = 16 << 20  # bytes up to which a file's lines are counted to its end
MAX_SCANNED = 1 << 30  # bytes that are looked through for the first line asked for
PIECE = 4 << 20  # bytes asked of the agent at once: it serves others in between
SNIFFED = 8192  # bytes in which a NUL means that this is no text
DEFAULT_LINES, DEFAULT_BYTES = 2000, 36_000
IMAGES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"RIFF": "image/webp",
}
ENDS = {"image/png": b"IEND\xaeB`\x82", "image/jpeg": b"\xff\xd9", "image/gif": b";"}
UTF8_MARK = b"\xef\xbb\xbf"
WIDE_MARKS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_REPLACED = re.compile("[\udc80-\udcff]")

type Encoding = Literal["text", "numbered", "base64", "latin-1", "utf-16"]


@dataclass(frozen=True, slots=True)
class Text:
    """Lines `first` to `last`, 1-based. `total` is None where the file is too long to count its lines.

    next_line where more follows; cut is the file offset in bytes where one endless line was broken off, else None;
    remarks say how the bytes became text.
    """

    text: str
    first: int
    last: int
    total: int | None
    next_line: int | None
    size: int
    cut: int | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Binary:
    """Bytes from `start` on, of `size`."""

    data: bytes
    start: int
    size: int

    @property
    def base64(self) -> str:
        return base64.b64encode(self.data).decode()


@dataclass(frozen=True, slots=True)
class Image:
    """A whole image that a client can show."""

    data: bytes
    mime: str

    @property
    def base64(self) -> str:
        return base64.b64encode(self.data).decode()


@dataclass(frozen=True, slots=True)
class Part:
    """What is asked for: from line (or byte, for base64) `offset`, 1-based, at most `limit`; None is the usual amount."""

    offset: int = 1
    limit: int | None = None
    encoding: Encoding = "text"


async def read(sandbox: Sandbox, permit: Permit, found: Found, part: Part) -> Text | Binary | Image:
    """The part of the file. Raises FileRefused where it is none, or no text, with what to ask instead."""
    source = _Source(sandbox, permit, found)
    if part.encoding == "base64":
        return await _bytes(source, part)
    start = await source.at(0, PIECE)
    if part.encoding in ("text", "numbered") and (mime := image_type(start.data)):
        return _image(start, mime)
    codec = "utf-16" if part.encoding == "utf-16" else wide_codec(start.data)
    if codec and part.encoding != "latin-1":
        return await _wide(source, start, part, codec)
    if part.encoding != "latin-1" and b"\0" in start.data[:SNIFFED]:
        raise FileRefused(f"it is a binary file of {start.size} bytes; encoding=base64 reads its bytes")
    return await _lines(source, start, part)


@dataclass(frozen=True, slots=True)
class _Source:
    """The opened file, read in pieces by the one handle."""

    sandbox: Sandbox
    permit: Permit
    found: Found

    async def at(self, offset: int, limit: int) -> Content:
        return await self.sandbox.read(self.permit, self.found, limit, offset=offset, keep=True)


def image_type(data: bytes) -> str | None:
    found = next((mime for magic, mime in IMAGES.items() if data.startswith(magic)), None)
    return None if found == "image/webp" and data[8:12] != b"WEBP" else found


def wide_codec(data: bytes) -> str | None:
    """UTF-16 is known by its mark only; without one it is not guessed at."""
    return WIDE_MARKS.get(data[:2])


async def _bytes(source: _Source, part: Part) -> Binary:
    start = part.offset - 1
    content = await source.at(start, min(part.limit or DEFAULT_BYTES, MAX_BASE64))
    if start and start >= content.size:
        raise FileRefused(f"it ends before byte {part.offset}: it has {content.size} bytes")
    return Binary(content.data, start, content.size)


def _image(start: Content, mime: str) -> Image:
    if start.size > MAX_IMAGE:
        raise FileRefused(
            f"it is an image ({mime}) of {start.size} bytes, and {MAX_IMAGE} can be shown; "
            "make a smaller copy, or read its bytes with encoding=base64"
        )
    if not _is_whole(start.data, mime):  # a host that is given half an image may refuse all that follows it
        raise FileRefused(f"it begins as an image ({mime}) and breaks off; encoding=base64 reads its bytes")
    return Image(start.data, mime)


def _is_whole(data: bytes, mime: str) -> bool:
    """Whether its end is there; what is in it is for whoever shows it."""
    if mime == "image/webp":
        return int.from_bytes(data[4:8], "little") <= len(data) - 8
    return ENDS[mime] in data


async def _wide(source: _Source, start: Content, part: Part, codec: str) -> Text:
    if start.size > MAX_WIDE:
        raise FileRefused(
            f"it is UTF-16 of {start.size} bytes, and {MAX_WIDE} can be read; convert it with iconv first"
        )
    data = start.data if len(start.data) == start.size else (await source.at(0, MAX_WIDE)).data
    marked = wide_codec(data)
    text = data.decode(marked or "utf-16-le", "replace").removeprefix("\ufeff")
    lost = text.count("\ufffd")
    remarks = [f"{codec.upper()} by its byte-order mark" if marked else "read as UTF-16-LE, as asked; there is no mark"]
    remarks += [f"{lost} characters could not be decoded and show as \ufffd"] if lost else []
    lines = text.split("\n")
    lines = lines if lines[-1] else lines[:-1]
    _exists(part.offset, len(lines), start.size)
    chosen, last = _fitting(lines, part)
    more = last + 1 if last < len(lines) else None
    whole = "\n".join(chosen) + ("\n" if chosen and (more or text.endswith("\n")) else "")
    remarks += [f"line {last} is cut after {MAX_CHARS} characters"] if len(whole) > MAX_CHARS else []
    return Text(whole[:MAX_CHARS], part.offset, last, len(lines), more, start.size, None, tuple(remarks))


def _fitting(lines: list[str], part: Part) -> tuple[list[str], int]:
    """As many whole lines as an answer holds, one at least; and the number of the last."""
    room, chosen = MAX_CHARS, list[str]()
    for line in lines[part.offset - 1 : part.offset - 1 + _most_lines(part)]:
        room -= len(line) + 1
        if room < 0 and chosen:
            break
        chosen.append(line)
    return chosen, part.offset - 1 + len(chosen)


def _most_lines(part: Part) -> int:
    return min(part.limit or DEFAULT_LINES, MAX_LINES)


def _exists(line: int, total: int, size: int) -> None:
    if line > max(1, total):
        raise FileRefused(f"it ends before line {line}: it has {total} lines ({size} bytes)")


async def _lines(source: _Source, start: Content, part: Part) -> Text:
    """Lines by their newlines, found without holding more of the file than one answer needs."""
    place, piece = await _find_line(source, start, part.offset)
    codec = "latin-1" if part.encoding == "latin-1" else "utf-8"
    data = await _gather(source, place, piece, _most_lines(part), codec)
    end = place + len(data)
    count = data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
    last = part.offset - 1 + count
    at_end = end >= start.size
    broken = not at_end and not data.endswith(b"\n")
    total = last if at_end else await _count(source, start, end, last - broken)
    text, remarks = decode(data, part.encoding, first=part.offset)
    more = None if at_end else last + 1
    return Text(text, part.offset, last, total, more, start.size, end if broken else None, remarks)


async def _find_line(source: _Source, start: Content, line: int) -> tuple[int, bytes]:
    """Where the line begins, in bytes, and what of the file is known from there on."""
    at, piece, passed, ended = 0, start.data, 0, True
    while True:
        here = piece.count(b"\n")
        if passed + here >= line - 1:
            begin = _after_newlines(piece, line - 1 - passed)
            if at + begin >= start.size:
                _exists(line, passed + here, start.size)
            return at + begin, piece[begin:]
        passed, at, ended = passed + here, at + len(piece), piece.endswith(b"\n") if piece else ended
        if at >= start.size or not piece:
            total = passed + (not ended)
            raise FileRefused(f"it ends before line {line}: it has {total} lines ({start.size} bytes)")
        if at >= MAX_SCANNED:
            raise FileRefused(
                f"line {line} is beyond its first {MAX_SCANNED} bytes, of {start.size}; "
                f"in shell, sed -n '{line},+100p;{line + 100}q' FILE shows it"
            )
        piece = (await source.at(at, PIECE)).data


def _after_newlines(data: bytes, count: int) -> int:
    at = 0
    for _ in range(count):
        at = data.index(b"\n", at) + 1
    return at


async def _gather(source: _Source, place: int, piece: bytes, limit: int, codec: str) -> bytes:
    """Whole lines from there on, as many as are wanted and fit; of a line that is too long by itself, its beginning."""
    data = bytearray(piece[: 4 * MAX_CHARS])
    while data.count(b"\n") < limit and len(data) < 4 * MAX_CHARS:
        more = (await source.at(place + len(data), 4 * MAX_CHARS - len(data))).data
        if not more:
            break
        data += more
    wanted = bytes(data[: _end_of_lines(data, limit)])
    return _within_characters(wanted, codec)


def _end_of_lines(data: bytearray, limit: int) -> int:
    """Where the last of `limit` lines ends."""
    at = 0
    for _ in range(limit):
        at = data.find(b"\n", at) + 1
        if not at:
            return len(data)
    return at


def _within_characters(data: bytes, codec: str) -> bytes:
    """What makes at most MAX_CHARS characters, cut after a whole line where there is one, else between characters."""
    text = data.decode(codec, "surrogateescape")
    if len(text) <= MAX_CHARS:
        return data
    kept = text[:MAX_CHARS]
    return (kept[: kept.rfind("\n") + 1] or kept).encode(codec, "surrogateescape")


async def _count(source: _Source, start: Content, at: int, passed: int) -> int | None:
    """How many lines the whole file has, where it is not too long to look."""
    if start.size > MAX_COUNTED:
        return None
    last = b"\n"
    while at < start.size:
        piece = (await source.at(at, PIECE)).data
        if not piece:
            break
        passed, at, last = passed + piece.count(b"\n"), at + len(piece), piece[-1:]
    return passed + (last != b"\n")


def decode(data: bytes, encoding: Encoding, first: int = 1) -> tuple[str, tuple[str, ...]]:
    """Text of bytes that begin with line `first`, and what has to be said of how it came about."""
    if encoding == "latin-1":
        return data.decode("latin-1"), ()
    remarks = list[str]()
    if first == 1 and data.startswith(UTF8_MARK):
        data, remarks = data[len(UTF8_MARK) :], ["begins with a UTF-8 byte-order mark, not shown"]
    text = data.decode("utf-8", "surrogateescape")
    lost = list(_REPLACED.finditer(text))
    if lost:
        shown = ", ".join(
            f"0x{ord(byte.group()) - 0xDC00:02x} in line {first + text.count(chr(10), 0, byte.start())}"
            for byte in lost[:3]
        )
        more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""  # noqa: PLR2004 - as many as are shown
        remarks.append(
            f"not UTF-8: bytes shown as \ufffd: {shown}{more}; encoding=latin-1 or base64 reads them, file_edit keeps them"
        )
        text = _REPLACED.sub("\ufffd", text)
    return text, tuple(remarks)
