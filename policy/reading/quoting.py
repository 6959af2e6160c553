"""Quoting undone as bash undoes it. shfmt keeps the raw text inside every kind of quotes."""

import re

_SIMPLE = {
    "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "'": "'", '"': '"', "?": "?",
}  # fmt: skip
_ANSI_C = re.compile(
    r"\\(?:x\{?([0-9A-Fa-f]{1,2})\}?|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|([0-7]{1,3})|c(\\\\|.)|(.))|([^\\]+|\\)",
    re.DOTALL,
)
_IN_DOUBLE = re.compile(r"\\(?:([$`\"\\])|\n)")
_IN_HEREDOC = re.compile(r"\\(?:([$`\\])|\n)")
_LAST_CODE_POINT = 0x10FFFF


def ansi_c(raw: str) -> str:
    """The text of $'...'. A NUL ends it, as in bash; bytes that are not UTF-8 become U+FFFD."""
    decoded = b"".join(_ansi_c_bytes(match) for match in _ANSI_C.finditer(raw))
    return decoded.split(b"\0", 1)[0].decode("utf-8", "replace")


def _ansi_c_bytes(match: re.Match[str]) -> bytes:
    hexadecimal, short, long, octal, control, other, plain = match.groups()
    if plain is not None:
        return plain.encode("utf-8", "surrogatepass")
    if hexadecimal is not None:
        return bytes([int(hexadecimal, 16)])
    if octal is not None:
        return bytes([int(octal, 8) & 0xFF])
    if control is not None:
        return bytes([0x7F if control == "?" else ord(control[0].upper()) & 0x1F])
    if other is not None:
        return _SIMPLE.get(other, "\\" + other).encode("utf-8", "surrogatepass")
    point = int(short or long, 16)
    return chr(point).encode("utf-8", "replace") if point <= _LAST_CODE_POINT else b"\xef\xbf\xbd"


def double(raw: str) -> str:
    """The text of a literal inside double quotes."""
    return _IN_DOUBLE.sub(_kept, raw) if "\\" in raw else raw


def heredoc(raw: str) -> str:
    """The text of a literal inside a here-document whose delimiter is not quoted."""
    return _IN_HEREDOC.sub(_kept, raw) if "\\" in raw else raw


def _kept(match: re.Match[str]) -> str:
    return match[1] or ""


def unquoted(raw: str) -> list[tuple[str, bool]]:
    """A literal outside quotes as (text, was it quoted by a backslash) runs."""
    runs: list[tuple[str, bool]] = []
    plain, rest = "", raw
    while "\\" in rest:
        before, _, rest = rest.partition("\\")
        plain += before
        if rest[:1] != "\n":  # backslash-newline is deleted by the lexer
            runs += [(plain, False), (rest[:1] or "\\", True)]
            plain = ""
        rest = rest[1:]
    return [run for run in [*runs, (plain + rest, False)] if run[0]]
