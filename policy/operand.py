"""A word that is a path, with what is done to it; and the guess for programs and options that nobody listed."""

import re
from collections.abc import Iterator, Mapping

from policy.question import Op
from policy.reading.options import Parsed, matches
from policy.reading.piece import Word

type Operand = tuple[Word, Op]

_OUTPUT = re.compile(
    r"--?(?:o|out|output|outfile|out-?file|output-?(?:file|dir|path|directory)|outdir|dest\w*|target|log-?file|prefix"
    r"|pack-dest\w*|keyout)"
)
_INPUT = re.compile(r"--?(?:in|inkey|infile|input|input-?file|key|key-?file|env-?file|from-file)")
_LOOKS_LIKE_PATH = re.compile(r"~|\.{0,2}/|\.[\w.-]+(?:/|$)|[^:\s]*/")
_NAMED_VALUE = re.compile(r"--?[\w-]+=|[A-Za-z_]\w*=")


def of_options(parsed: Parsed, ops: Mapping[str, Op]) -> Iterator[Operand]:
    """The values of those options that are paths."""
    for name, word in parsed.options:
        op = next((op for given, op in ops.items() if matches(name, (given,))), None)
        if op and word:
            yield word, op


def beneath(folder: Word, word: Word) -> Word | None:
    """Where a path comes to lie that is copied into a folder; None where its contents do, or its name is not known."""
    name = word.begins.rpartition("/")[2]
    if word.text is None or folder.text is None or name in ("", ".", ".."):
        return None
    return Word(f"{folder.text.rstrip('/') or folder.text}/{name}")


def pattern(word: Word, folder: str = ".") -> Word | None:
    """A pattern of names as a glob beneath a folder; None where it leaves files out instead, or is not known."""
    text = word.text or ""
    if not text or text.startswith("!"):
        return None
    return Word(None, "glob", text if text.startswith("/") else f"{folder}/{text.removeprefix('**/')}")


def guessed(words: tuple[Word, ...]) -> Iterator[Operand]:
    """For programs nobody listed: whatever looks like a path is read, or written if its option says so."""
    for before, word in zip((Word(""), *words), words, strict=False):
        if word.begins.startswith("@") and _LOOKS_LIKE_PATH.match(word.begins[1:]):
            yield Word(None if word.text is None else word.begins[1:], word.reason, word.begins[1:]), "read"
            continue
        option, equals, value = word.begins.partition("=")
        if not _NAMED_VALUE.match(word.begins):
            option, equals, value = "", "", word.begins
        if word.begins.startswith("-") and not equals:
            continue
        held = Word(None if word.text is None else value, word.reason, value) if equals else word
        named = option or before.begins
        if (
            held.begins
            and "://" not in held.begins
            and (_LOOKS_LIKE_PATH.match(held.begins) or _INPUT.fullmatch(named) or _OUTPUT.fullmatch(named))
        ):
            yield held, "write" if _OUTPUT.fullmatch(named) else "read"
