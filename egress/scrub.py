"""Secrets in an answer become asterisks, as many as they have characters, in each form that programs echo them in. Pure.

The same length, so that neither a length that was announced nor the frames of a WebSocket need to change.
"""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

from egress.swap import Fields

_SHORTEST = 8


def forms(value: bytes) -> Iterator[bytes]:
    """As it is; as URLs, JSON, HTML and hexadecimal write it; in base64, wherever in a longer text it stood."""
    text = value.decode("latin1")
    escaped = json.dumps(text, ensure_ascii=False)[1:-1]
    texts = (text, quote(value, safe=""), quote(value), quote_plus(value), escaped, escaped.replace("/", "\\/"))
    for form in (*texts, *map(_small_percents, texts[1:4]), html.escape(text), value.hex(), value.hex().upper()):
        yield form.encode("latin1")
        yield form.encode()
    for code in (base64.b64encode, base64.urlsafe_b64encode):
        for before, spoilt in ((0, 0), (1, 2), (2, 3)):  # bytes before it, and the characters that those have a part in
            whole = (before + len(value)) * 8 // 6
            yield code(bytes(before) + value)[spoilt:whole]


def _small_percents(text: str) -> str:
    """As some programs write it: %2f for %2F."""
    return re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), text)


class Scrubber:
    """Masks as a stream: what could be the beginning of a secret at the end of a piece is held back, and nothing else."""

    def __init__(self, values: Iterable[bytes]) -> None:
        found = {form for value in values for form in forms(value) if len(form) >= _SHORTEST}
        self._needles = tuple(sorted(found, key=len, reverse=True))
        self._longest = len(self._needles[0]) if self._needles else 0
        self._firsts = frozenset(needle[0] for needle in self._needles)
        self._held = b""

    def masked(self, data: bytes) -> bytes:
        for needle in self._needles:
            if needle in data:
                data = data.replace(needle, b"*" * len(needle))
        return data

    def fields(self, fields: Fields) -> Fields:
        return tuple((self.masked(name), self.masked(value)) for name, value in fields)

    def feed(self, data: bytes) -> bytes:
        """The next piece, as far as it is certain."""
        data = self.masked(self._held + data)
        certain = self._certain(data)
        self._held = data[certain:]
        return data[:certain]

    def rest(self) -> bytes:
        """What was held back; the stream is over. A beginning of a secret that is long enough to tell one is masked."""
        held, self._held = self._held, b""
        return held if len(held) < _SHORTEST else b"*" * len(held)

    def _certain(self, data: bytes) -> int:
        for start in range(max(0, len(data) - self._longest + 1), len(data)):
            if data[start] in self._firsts:
                tail = data[start:]
                if any(needle.startswith(tail) for needle in self._needles):
                    return start
        return len(data)
