"""One regular expression for two engines: ripgrep where the image has it, Python's re where not, with the same answers.

What both understand alike passes; what they read differently is spelled so that they agree (a lone brace is a brace,
a bracket within brackets too); what only one of them has is refused with what to write instead.
"""

import re
from dataclasses import dataclass

from server.sandbox.sandbox import FileRefused

_REPEAT = re.compile(r"\{\d+(?:,\d*)?\}")
_FLAGS = re.compile(r"\(\?[ims]+\)")
_GROUP = re.compile(r"\(\?(?:P?<([A-Za-z_]\w*)>|([ims]*(?:-[ims]+)?):)")
_UNICODE = re.compile(r"\\[pP](?:\{\^?[\w=:]+\}|[A-Z])")
_CODE = re.compile(r"\\[xu]\{([0-9a-fA-F]{1,6})\}")
_POSIX = {
    "alpha": "a-zA-Z", "digit": "0-9", "alnum": "a-zA-Z0-9", "upper": "A-Z", "lower": "a-z", "space": r"\s",
    "xdigit": "0-9a-fA-F", "punct": r"!-/:-@\[-`{-~", "blank": r" \t", "word": r"\w",
}  # fmt: skip
_SPECIAL = r"\.+*?()|[]{}^$#&-~"
# The text that is searched is one line: its beginning and end are the line's.
_ESCAPES = {"A": ("^", "^"), "z": ("$", "$"), "Z": ("$", "$"), "<": (r"\<", r"\b(?=\w)"), ">": (r"\>", r"\b(?<=\w)")}
_ONE_LINE = "lines are searched one by one, so \\n and \\r never match: search for the text of one line"
_AROUND = (
    "look-around, back-references and atomic groups are not supported: search for the text itself, then read around it"
)


@dataclass(frozen=True, slots=True)
class Pattern:
    """The same for both; `python` is "" where only ripgrep can (classes such as \\p{Greek})."""

    rust: str
    python: str


def read_pattern(text: str) -> Pattern:
    """Raises FileRefused with what is wrong and what to write."""
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise FileRefused("the pattern holds half a surrogate pair, which is no character") from exc
    if "\n" in text or "\r" in text:
        raise FileRefused(_ONE_LINE)
    reader = _Reader(text)
    reader.read()
    try:
        re.compile(reader.python)
    except (re.error, OverflowError, RecursionError) as exc:
        raise FileRefused(f"the pattern is no regular expression: {exc}; {_very_text(text)}") from exc
    return Pattern(reader.rust, "" if reader.only_rust else reader.python)


def _very_text(text: str) -> str:
    """How the text itself is searched for, which is what was meant more often than not."""
    return f"for that very text write {''.join(map(_plainly, text))}"


def _plainly(char: str) -> str:
    return f"\\{char}" if char in _SPECIAL else char


def _escaped(char: str) -> str:
    """What a backslash before this character says; before one that is not special it says nothing, and is left out."""
    return f"\\{char}" if char in _SPECIAL or (char.isascii() and (char.isalnum() or not char)) else char


class _Reader:
    """Left to right, once; what is found is added to both spellings."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.rust, self.python, self.only_rust = "", "", False

    def read(self) -> None:
        while self.at < len(self.text):
            match self.text[self.at]:
                case "\\":
                    self._escape()
                case "[":
                    self._brackets()
                case "(":
                    self._group()
                case "{":
                    self._brace()
                case "*" | "+" | "?":
                    self._repeat()
                case char:
                    self._add(char, 1)

    def _add(self, rust: str, length: int, python: str | None = None) -> None:
        self.rust += rust
        self.python += rust if python is None else python
        self.at += length

    def _escape(self) -> None:
        rest = self.text[self.at :]
        if found := _UNICODE.match(rest):
            self.only_rust = True
            self._add(found[0], len(found[0]), r"\w")
        elif found := _CODE.match(rest):
            self._add(found[0], len(found[0]), self._character(found[1]))
        elif rest[1:2] in ("n", "r"):
            raise FileRefused(_ONE_LINE)
        elif rest[1:2].isdigit() or rest[1:2] == "k":
            raise FileRefused(_AROUND)
        else:
            rust, python = _ESCAPES.get(rest[1:2]) or (_escaped(rest[1:2]),) * 2
            self._add(rust, 2, python)

    def _character(self, digits: str) -> str:
        code = int(digits, 16)
        if code > 0x10FFFF or 0xD800 <= code < 0xE000:  # noqa: PLR2004 - Unicode's own bounds
            raise FileRefused(f"\\x{{{digits}}} is no character")
        return re.escape(chr(code))

    def _group(self) -> None:
        rest = self.text[self.at :]
        if not rest.startswith("(?"):
            self._add("(", 1)
        elif _FLAGS.match(rest) and self.at == 0:
            self._add(_FLAGS.match(rest)[0], len(_FLAGS.match(rest)[0]))  # type: ignore[index]  # it matched just above
        elif found := _GROUP.match(rest):
            self._add(found[0], len(found[0]), f"(?P<{found[1]}>" if found[1] else None)
        elif rest[2:3] in ("=", "!", "<", ">", "(", "P"):
            raise FileRefused(_AROUND)
        else:
            raise FileRefused("flags are (?i), (?s) and (?m), at the beginning of the pattern or as (?i:...)")

    def _brace(self) -> None:
        found = _REPEAT.match(self.text, self.at)
        if found and self.at:
            self._add(found[0], len(found[0]))
            self._lazy()
        else:
            self._add(r"\{", 1)

    def _repeat(self) -> None:
        self._add(self.text[self.at], 1)
        self._lazy()

    def _lazy(self) -> None:
        """One ? may follow a repetition; another repetition means different things to different engines."""
        if self.text[self.at : self.at + 1] == "?":
            self._add("?", 1)
        if self.text[self.at : self.at + 1] in ("*", "+", "?") or _REPEAT.match(self.text, self.at):
            raise FileRefused("a repetition of a repetition needs a group: (?:a+)*")

    def _brackets(self) -> None:
        start = self.at
        self._add("[", 1)
        if self.text[self.at : self.at + 1] == "^":
            self._add("^", 1)
        first = True
        while first or self.text[self.at : self.at + 1] != "]":
            if self.at >= len(self.text):
                raise FileRefused(
                    f"the pattern is no regular expression: [ at character {start + 1} is never closed; {_very_text(self.text)}"
                )
            self._member(first=first)
            first = False
        self._add("]", 1)

    def _member(self, *, first: bool) -> None:
        rest = self.text[self.at :]
        posix = re.match(r"\[:(\^?)(\w+):\]", rest)
        if posix and posix[2] in _POSIX and not posix[1]:
            self._add(posix[0], len(posix[0]), _POSIX[posix[2]])
        elif found := _UNICODE.match(rest):
            self.only_rust = True
            self._add(found[0], len(found[0]), r"\w")
        elif found := _CODE.match(rest):
            self._add(found[0], len(found[0]), self._character(found[1]))
        elif rest[0] == "\\":
            self._add(_escaped(rest[1:2]), 2)
        elif rest[0] in "[&~" or (rest[0] == "]" and first) or rest[:2] == "--":
            self._add(f"\\{rest[0]}", 1)
        else:
            self._add(rest[0], 1)
