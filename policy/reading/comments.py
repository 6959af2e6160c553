r"""Comments that end in a backslash, which shfmt reads differently from bash.

For bash a comment ends with its line. shfmt takes a backslash at its end for a continuation, so the next line's command
becomes an argument: `true # \` and `rm -rf x` below it would be read as one harmless command.
"""

import re
from collections.abc import Iterator

from policy.reading.tree import Node

_LINE = re.compile(rb"[^\n]*#[^\n]*\\\n")
_START = re.compile(rb"(?:(?<=[\s;&|()<>`])|^)#", re.MULTILINE)


def repaired(text: str, tree: Node) -> str | None:
    """The same script without such backslashes, of the same length; None if there are none."""
    if "\\\n" not in text or "#" not in text:
        return None
    raw = bytearray(text.encode("utf-8", "surrogatepass"))
    covered = _covered(len(raw), tree)
    ends = [line.end() - 2 for line in _LINE.finditer(raw) if _is_comment(line, covered)]
    for end in ends:
        raw[end] = ord(" ")
    return raw.decode("utf-8", "surrogatepass") if ends else None


def _is_comment(line: re.Match[bytes], covered: bytearray) -> bool:
    """A `#` at the start of a token is a comment, unless it is inside a word: quotes or a here-document."""
    starts = [line.start() + found.start() for found in _START.finditer(line[0])]
    return bool(starts) and not all(covered[start] for start in starts)


def _covered(size: int, tree: Node) -> bytearray:
    """For each byte whether it is inside a literal."""
    covered = bytearray(size)
    for start, end in _literals(tree):
        covered[start:end] = b"\1" * len(covered[start:end])
    return covered


def _literals(node: object) -> Iterator[tuple[int, int]]:
    if isinstance(node, list):
        for child in node:
            yield from _literals(child)
    elif isinstance(node, dict):
        if isinstance(node.get("Value"), str):
            yield (node["Pos"]["Offset"], node["End"]["Offset"])
        for key, child in node.items():
            if key not in ("Comments", "Last"):
                yield from _literals(child)
