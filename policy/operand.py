"""A word that is a path, with what is done to it; and the guess for programs and options that nobody listed."""

import re
from collections.abc import Iterator, Mapping

from policy.question import Op
from policy.reading.options import Parsed, matches
from policy.reading.piece import Word
from policy.sensitive import guarded

type Operand = tuple[Word, Op]

_OUTPUT = re.compile(
    r"--?(?:o|out|output|outfile|out-?file|output-?(?:file|dir|path|directory)|outdir|dest\w*|target|log-?file|prefix"
    r"|pack-dest\w*|keyout)"
)
_INPUT = re.compile(r"--?(?:in|inkey|infile|input|input-?file|key|key-?file|env-?file|from-file)")
_LOOKS_LIKE_PATH = re.compile(r"~|\.{0,2}/|\.[\w.-]+(?:/|$)|[^:\s]*/")
_ATTACHED = re.compile(r"-[A-Za-z](?:~?/|\.{0,2}/|\.[A-Za-z])")  # -r.env, -I/usr/include
_HOOKS = re.compile(r"(?:^|/)\.git/(?:modules/|hooks|config|commondir|info/|objects/info/)", re.IGNORECASE)
_REGEX = re.compile(r"(?:[\w^(*][^/]*/)+\.[*+]\$?")  # names below a folder, as one says it in a pattern of text
_KIND_OF = re.compile(r"[a-z][a-z0-9-]*:@?")  # text:.env, label:@.env: to some programs the kind of a file
_NAMED_VALUE = re.compile(r"--?[\w-]+=|[A-Za-z_]\w*:?=")


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
    text = word.begins if word.reason in ("", "glob") else ""
    if not text or text.startswith("!"):
        return None
    return Word(None, "glob", text if text.startswith("/") else f"{folder}/{text.removeprefix('**/')}")


def hidden(name: str) -> tuple[str, ...]:
    """What else a pattern means to find, grep and rg: to them a * in front stands for a dot as well."""
    rest = name.lstrip("*")
    return () if rest == name or not rest else (rest,) if rest.startswith(".") else (f".*{rest}",)


def looks_like_path(text: str) -> bool:
    return _LOOKS_LIKE_PATH.match(text) is not None


def suspected(words: tuple[Word, ...]) -> Iterator[Operand]:
    """The same where nobody knows the program: a file that makes git run others is as good as written."""
    for word, op in guessed(words):
        yield word, op
        if op == "read" and _HOOKS.search(word.begins):
            yield word, "write"


def guessed(words: tuple[Word, ...]) -> Iterator[Operand]:
    """For programs nobody listed: whatever looks like a path is read, or written if its option says so."""
    for before, word in zip((Word(""), *words), words, strict=False):
        if word.begins.startswith("@") and _LOOKS_LIKE_PATH.match(word.begins[1:]):
            yield Word(None if word.text is None else word.begins[1:], word.reason, word.begins[1:]), "read"
            continue
        option, equals, value = word.begins.partition("=")
        option = option.removesuffix(":")
        if not _NAMED_VALUE.match(word.begins):
            option, equals, value = "", "", word.begins
        if word.begins.startswith("-") and not equals:
            if _ATTACHED.match(word.begins) and word.text is not None:
                yield Word(word.text[2:]), "write" if word.text[1] == "o" else "read"
            continue
        value = value.removeprefix("@") if equals else value
        held = Word(None if word.text is None else value, word.reason, value) if equals else word
        named = option or before.begins
        if (
            held.begins
            and "://" not in held.begins
            and not (held.text and _REGEX.fullmatch(held.text))
            and (_LOOKS_LIKE_PATH.match(held.begins) or _INPUT.fullmatch(named) or _OUTPUT.fullmatch(named))
        ):
            yield held, "write" if _OUTPUT.fullmatch(named) else "read"
        elif (end := _KIND_OF.sub("", held.begins, count=1)) != held.begins and guarded(end):
            yield Word(None if word.text is None else end, word.reason, end), "read"
