"""GNU parallel: it fills its command with what stands behind `:::`, or with its input, and hands the text to a shell."""

import re
import shlex
from itertools import takewhile

from policy.reading.effect import Call, Effects, Run, RunInline, RunScript, joined
from policy.reading.options import Grammar, Parsed, parse
from policy.reading.piece import FILLED_IN, Word, static

_PARALLEL = Grammar(
    short="jPaIdCnNSEiLlsUM",
    long=(
        "jobs", "max-procs", "arg-file", "delimiter", "colsep", "max-args", "max-replace-args", "sshlogin", "timeout",
        "joblog", "results", "tmpdir", "workdir", "delay", "retries", "halt", "load", "memfree", "nice", "env",
        "recstart", "recend", "block", "tagstring", "basefile", "return", "sshloginfile", "profile", "seqreplace",
    ),
    flags=("tag",),
)  # fmt: skip
# With these and no others it does what is said here: none of them names a machine, a file of options or a program.
_PLAIN = frozenset((
    "-0", "-j", "-k", "-P", "-q", "-r", "-t", "-u", "--bar", "--delay", "--dry-run", "--eta", "--halt", "--jobs",
    "--joblog", "--keep-order", "--lb", "--line-buffer", "--load", "--max-procs", "--memfree", "--no-run-if-empty",
    "--nice", "--null", "--progress", "--retries", "--tag", "--timeout", "--ungroup", "--verbose", "--will-cite",
))  # fmt: skip
_SHELL_TEXT = re.compile(r"[;|&<>$`(\n'\"\\]")
_MORE = re.compile(r"['\"\\`${}]")  # {= perl =}, and what the shell takes apart once more
_REPLACED = re.compile(r"\{[^{}\s,]*\}")
_PLACES = re.compile(r"\{(?:\d*(?:\.|//?|/\.)?|[#%])\}")
_REMOVERS = frozenset(("mv", "rm", "rmdir", "shred", "unlink"))
_ITEMS = 16


def parallel(call: Call) -> Effects:
    parsed = parse(call.operands, _PARALLEL)
    words = tuple(takewhile(lambda word: not word.begins.startswith(":::"), parsed.operands))
    if not words:
        return (RunScript(None, "sh", "parallel"),)
    text = joined(words)
    if text is None:
        return (RunScript(None, "sh", "parallel"),)
    items = _items(parsed.operands[len(words) :])
    if items is None or not _is_plain(parsed, text):
        return (*_filled(text), RunInline("parallel", None))
    if items == ():
        effects = _filled(text)
        return effects if isinstance(effects[0], Run) else (*effects, RunInline("parallel", None))
    return tuple(_given(text, item) for item in items)


def _is_plain(parsed: Parsed, text: str) -> bool:
    """Whether it only puts whole names into the places of a text in which nothing is quoted."""
    named = all(name in _PLAIN for name, _ in parsed.options)
    first = text.split(maxsplit=1)[:1]
    return named and not _MORE.search(_PLACES.sub("", text)) and not _REMOVERS.intersection(first)


def _items(words: tuple[Word, ...]) -> tuple[Word, ...] | None:
    """What stands behind `:::`; empty where it reads its input, None where there is more to it."""
    if not words:
        return ()
    items = words[1:]
    several = any(word.begins.startswith(":::") or (word.text is None and word.reason != "glob") for word in items)
    return None if words[0].text != ":::" or several or not 0 < len(items) <= _ITEMS else items


def _given(text: str, item: Word) -> RunScript:
    """The text that the shell gets for one of them."""
    name = '"$1"' if item.text is None else shlex.quote(item.text)
    filled = _REPLACED.sub(lambda _: name, text) if _REPLACED.search(text) else f"{text} {name}"
    return RunScript(filled, "sh", "parallel", arguments=(static("sh"), item))


def _filled(text: str) -> Effects:
    """What it comes to where nobody knows with what it is filled in."""
    if _SHELL_TEXT.search(text):
        return (RunScript(_REPLACED.sub('"$@"', text), "sh", "parallel"),)
    words = tuple(FILLED_IN if _REPLACED.search(word) else static(word) for word in text.split())
    return (Run(words if FILLED_IN in words else (*words, FILLED_IN), "xargs"),)
