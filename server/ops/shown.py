"""What an agent wrote, as a terminal may safely show it: nothing in it moves the cursor, hides, or turns text round."""

import re
import sys
import unicodedata
from typing import Final

_ODD: Final = re.compile(r"[^\n\t -~]")
_HIDING: Final = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


def plain(text: str) -> str:
    """One line: a newline in a name is shown as well."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def visible(text: str) -> str:
    return _ODD.sub(lambda found: _escaped(found[0]), text)


def _escaped(letter: str) -> str:
    if unicodedata.category(letter) not in _HIDING:
        return letter
    return f"\\x{ord(letter):02x}" if ord(letter) < 0x100 else f"\\u{ord(letter):04x}"  # noqa: PLR2004 - a byte


def write(data: bytes) -> None:
    """To standard output: as it is for a program, made visible for a person."""
    if sys.stdout.isatty():
        data = visible(data.decode("utf-8", "surrogateescape")).encode("utf-8", "replace")
    sys.stdout.buffer.write(data)
