"""Which paths of a host are meant: the operator's globs, parsed once. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from egress.destination import clip

_HIDDEN_STEP = re.compile(r"%2e|%2f|%5c|\\|//|/\.{1,2}(?:[/;]|$)", re.IGNORECASE)


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
        # a server may decode or fold these before it looks the path up, so what was matched is not what is served
        return not self.globs or (
            not _HIDDEN_STEP.search(path) and any(glob.fullmatch(path) is not None for glob in self.globs)
        )


def _glob(text: str) -> re.Pattern[str]:
    """`*` is anything within one segment of a path, `**` anything at all."""
    if not text.startswith("/") or "?" in text or "#" in text:
        raise BadGlob(f"`{clip(text)}` is not a path pattern: it starts with `/` and holds neither `?` nor `#`.")
    parts = re.split(r"(\*\*|\*)", text)
    meanings = {"**": ".*", "*": "[^/]*"}
    return re.compile("".join(meanings.get(part) or re.escape(part) for part in parts))
