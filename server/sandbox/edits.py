"""An exact edit: one place or all of them, every other byte as it was, and words that help where it misses."""

import errno
import functools
import re
from dataclasses import dataclass

import anyio.to_thread

from policy.verdict import Permit
from server.sandbox.files import MAX_WRITTEN
from server.sandbox.near import explain_miss
from server.sandbox.reading import SNIFFED, WIDE_MARKS, wide_codec
from server.sandbox.sandbox import FileRefused, Found, Sandbox
from server.sandbox.unified import unified

MAX_EDITED = 16 << 20  # bytes of a file
_NO_TEXT = re.compile("[\udc80-\udcff]")  # how Python carries bytes that are no UTF-8
REPLACEMENT = "\ufffd"  # what is shown for them
MOST_TRIES = 20  # of an edit that others come between: each time one of them is done
MOST_PLACES = 10  # lines that are named where a text is there more than once


@dataclass(frozen=True, slots=True)
class Edited:
    """What was done: how many places, where, and the change as a unified diff. `crlf`: new lines end as the file's do."""

    path: str
    replacements: int
    diff: str
    crlf: bool = False
    names: int = 1


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be replaced by what. Raises FileRefused where that says nothing."""

    old: str
    new: str
    replace_all: bool = False

    def __post_init__(self) -> None:
        if not self.old:
            raise FileRefused("old is empty; file_write creates a file, and mode=append adds to its end")
        if self.old == self.new:
            raise FileRefused("old and new are the same text; there is nothing to change")
        try:
            f"{self.old}{self.new}".encode()
        except UnicodeEncodeError as exc:
            raise FileRefused("old or new holds half a surrogate pair, which is no character") from exc


@dataclass(frozen=True, slots=True)
class _Decoded:
    """A file as text, and the way back. Bytes that are no UTF-8 are carried through as they are."""

    text: str
    mark: bytes
    codec: str

    @property
    def is_text(self) -> bool:
        return _NO_TEXT.search(self.text) is None

    @property
    def crlf(self) -> bool:
        """Whether every line of it ends in CRLF."""
        count = self.text.count("\n")
        return count > 0 and count == self.text.count("\r\n")

    def encode(self, text: str) -> bytes:
        return self.mark + self.bytes_of(text)

    def bytes_of(self, text: str) -> bytes:
        return text.encode(self.codec, "surrogateescape" if self.codec == "utf-8" else "strict")


async def edit(sandbox: Sandbox, permit: Permit, found: Found, change: Change) -> Edited:
    """Replace `old` by `new`, exactly once or everywhere, in what is still the file that was read.

    Where others change the file meanwhile (two edits of one file at once, for one) it is read again and done again.
    """
    for _ in range(MOST_TRIES - 1):
        try:
            return await _edit_once(sandbox, permit, found, change)
        except FileRefused as exc:
            if exc.number != errno.ESTALE:
                raise
        found = await _found_again(sandbox, found)
    return await _edit_once(sandbox, permit, found, change)


async def _found_again(sandbox: Sandbox, found: Found) -> Found:
    """The same path opened once more: only what was judged."""
    again = await sandbox.resolve(found.real)
    if again.real != found.real:
        raise FileRefused("it became a link meanwhile; nothing was written. Look at it again")
    return again


async def _edit_once(sandbox: Sandbox, permit: Permit, found: Found, change: Change) -> Edited:
    content = await sandbox.read(permit, found, MAX_EDITED, keep=True)
    if content.size > MAX_EDITED:
        raise FileRefused(f"it has {content.size} bytes, and {MAX_EDITED} can be edited; use sed in shell")
    before = _decode(content.data)
    asked, change = change, _with_endings(before, change)
    count = before.text.count(change.old)
    if count == 0:
        raise FileRefused(await _miss(before, asked.old))
    _unambiguous(before, change, count)
    _small_enough(content.size + count * (len(before.bytes_of(change.new)) - len(before.bytes_of(change.old))))
    after = before.encode(before.text.replace(change.old, change.new))
    stored = await sandbox.write(permit, found, after, "overwrite", unchanged=True)
    diff = unified(before.text, change.old, change.new, found.real)
    return Edited(found.real, count, diff, change is not asked, stored.names)


async def _miss(before: _Decoded, old: str) -> str:
    """The bytes of it that are no text look as file_read shows them, and there is no old that could hold them."""
    if not before.is_text and REPLACEMENT in old:
        return f"{REPLACEMENT} in old stands for bytes that are not UTF-8, which no text matches: choose an old without them"
    text = _NO_TEXT.sub(REPLACEMENT, before.text)
    return await anyio.to_thread.run_sync(functools.partial(explain_miss, text, old))


def _decode(data: bytes) -> _Decoded:
    if codec := wide_codec(data):
        mark = next(mark for mark, name in WIDE_MARKS.items() if name == codec)
        try:
            return _Decoded(data[len(mark) :].decode(codec), mark, codec)
        except UnicodeDecodeError as exc:
            raise FileRefused(f"it has the mark of {codec.upper()} but is not that; change it in shell") from exc
    if b"\0" in data[:SNIFFED]:
        raise FileRefused("it is a binary file; change it with a program in shell")
    return _Decoded(data.decode("utf-8", "surrogateescape"), b"", "utf-8")


def _with_endings(before: _Decoded, change: Change) -> Change:
    """In a file of CRLF lines, newlines of old and new are the file's: a model does not see the difference."""
    if not before.crlf or "\r" in change.old + change.new or "\n" not in change.old + change.new:
        return change
    old, new = (text.replace("\n", "\r\n") for text in (change.old, change.new))
    return Change(old, new, change.replace_all)


def _unambiguous(before: _Decoded, change: Change, count: int) -> None:
    if count > 1 and not change.replace_all:
        raise FileRefused(
            f"old is there {count} times (lines {_lines(before.text, change.old)}); "
            "add lines around it until it is there once, or set replace_all=true"
        )
    if not before.is_text and not change.new.isascii():
        raise FileRefused(
            "it is not UTF-8 (perhaps Latin-1), and new has characters beyond ASCII: two encodings would mix; "
            "convert it in shell first: iconv -f latin1 -t utf-8"
        )


def _small_enough(size: int) -> None:
    """Known before it is made: many places and a long text for each are more than any machine holds."""
    if size > MAX_WRITTEN:
        raise FileRefused(f"it would have {size} bytes, and {MAX_WRITTEN} can be written at once; use sed in shell")


def _lines(text: str, old: str) -> str:
    places, at = list[str](), text.find(old)
    while at >= 0 and len(places) <= MOST_PLACES:
        places.append(str(text.count("\n", 0, at) + 1))
        at = text.find(old, at + len(old))
    return ", ".join(places[:MOST_PLACES]) + (", ..." if len(places) > MOST_PLACES else "")
