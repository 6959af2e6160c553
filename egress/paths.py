"""Which paths of a host are meant: the operator's globs, parsed once. Pure."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from egress.destination import clip

_PLAIN = r"\w.~!$&'()*+,=:@-"  # what may stand in a name, so that dots before it are a part of it
_HIDDEN_STEP = re.compile(rf"%2e|%2f|%5c|[\\\u2044\u2215]|//|/\.{{1,2}}(?![{_PLAIN}])", re.IGNORECASE)
_OVERLONG = re.compile(rb"[\xc0\xc1]|\xe0[\x80-\x9f]|\xf0[\x80-\x8f]")  # of a dot or a slash, which is no UTF-8
_HIDDEN_TWICE = re.compile(r"%25|%u[0-9a-f]{4}|[\x00-\x1f\x7f]", re.IGNORECASE)  # in what was decoded once


class BadGlob(ValueError):
    """A pattern for paths cannot be meant; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Globs over a path without its query; without any, every path."""

    globs: tuple[re.Pattern[str], ...] = ()

    @classmethod
    def parse(cls, texts: Iterable[str]) -> "Paths":
        return cls(tuple(_glob(text) for text in texts))

    def admits(self, path: str) -> bool:
        return not self.globs or (_is_read_alike(path) and any(glob.fullmatch(path) is not None for glob in self.globs))


def _is_read_alike(path: str) -> bool:
    """Whether no server finds another step in it. One may decode a path, twice even, or fold its characters, before it looks
    it up: then what was matched is not what is served."""
    if _HIDDEN_STEP.search(path):
        return False
    return not any(map(_steps_out, _spelt(path)))


def _spelt(path: str) -> Iterator[bytes]:
    """Its bytes, whichever way they became characters: HTTP/1 and HTTP/2 differ in that."""
    yield path.encode("utf-8", "surrogateescape")
    with suppress(UnicodeEncodeError):
        yield path.encode("latin1")


def _steps_out(path: bytes) -> bool:
    decoded = unquote_to_bytes(path)
    text = unicodedata.normalize("NFKC", decoded.decode("utf-8", "replace"))
    return bool(_OVERLONG.search(decoded) or _HIDDEN_STEP.search(text) or _HIDDEN_TWICE.search(text))


def _glob(text: str) -> re.Pattern[str]:
    """`*` is anything within one segment of a path, `**` anything at all."""
    if not text.startswith("/") or "?" in text or "#" in text:
        raise BadGlob(f"`{clip(text)}` is not a path pattern: it starts with `/` and holds neither `?` nor `#`.")
    parts = re.split(r"(\*\*|\*)", text)
    meanings = {"**": ".*", "*": "[^/]*"}
    return re.compile("".join(meanings.get(part) or re.escape(part) for part in parts))
