"""What a script itself says of words that are only known when it runs: names that it prints, reads and hands on."""

import re
from collections.abc import Container, Iterator

from policy.reading.context import Context
from policy.reading.effect import Call
from policy.reading.piece import Word
from policy.reading.shells import BASH_LIKE

_READS = frozenset(("read", "mapfile", "readarray"))
_PRINTS = frozenset(("echo", "ls", "printf"))
TELLING = _READS | _PRINTS | BASH_LIKE | {"set"}
_BLANKS = re.compile(r"\\[n0]|\s+")
# What a function does with its arguments and these does not hang on which they are.
_GIVES = frozenset(("declare", "export", "local", "readonly", "typeset"))
_HARMLESS = frozenset((
    "", "[", ":", "declare", "echo", "exit", "export", "false", "local", "printf", "return", "set", "shift", "test", "true",
    "typeset",
))  # fmt: skip


def heard(call: Call, context: Context, *, piped: bool) -> Iterator[tuple[str, str]]:
    """Each as (variable, text), as Reading.said has them. piped: what it prints goes into a pipe."""
    if call.name in _READS:
        source = context.inputs.get(0)
        texts = (
            _BLANKS.split(source.text) if source and source.text else ["|"] if source and source.kind == "pipe" else []
        )
        yield from ((word.begins, text) for word in call.operands for text in texts)
    elif call.name == "set" or call.name in BASH_LIKE:
        yield from (("@", "|" if word.reason == "input" else word.begins) for word in call.operands)
    elif call.name == "printf" and [word.text for word in call.operands[:1]] == ["-v"]:
        yield from ((call.operands[1].begins, word.begins) for word in call.operands[2:])
    elif piped or any(via.startswith("function ") for via in context.via):
        yield from (("|" if piped else "()", text) for word in call.operands for text in _BLANKS.split(word.begins))


def unknown(words: tuple[Word, ...]) -> tuple[tuple[int, str], ...]:
    """The words of which nothing is known, each as its place and its variable, as Reading.unknown has them."""
    return tuple(
        (place, "()" if word.reason == "cmdsub" else "@" if _is_argument(word) else word.about)
        for place, word in enumerate(words)
        if word.text is None and not word.known and not word.ends and word.reason in ("param", "cmdsub")
    )


def uses_arguments(call: Call, handed: Container[str]) -> bool:
    """Whether it opens, or hands on, what its function was called with. handed: names that hold an argument."""
    return call.name not in _HARMLESS and any(
        word.text is None and (_is_argument(word) or word.about in handed) for word in call.words
    )


def handed(call: Call) -> Iterator[str]:
    """The names to which it gives an argument of its function: local port=$1."""
    if call.name in _GIVES:
        yield from (word.begins.partition("=")[0] for word in call.operands if word.text is None and _is_argument(word))


def _is_argument(word: Word) -> bool:
    return word.about.isdecimal() or word.about in ("@", "*")
