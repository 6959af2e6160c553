"""`eval set -- "$(getopt ...)"`: what getopt prints are words in quotes, so that eval only sets the arguments."""

from itertools import pairwise, takewhile

from policy.reading.piece import Word, static
from policy.reading.surroundings import Surroundings
from policy.reading.tree import Node, kind, nodes, value
from policy.reading.variables import QUOTED
from policy.reading.word import words

_VALUED = frozenset(("-n", "--name"))
_UNQUOTED = ("-u", "--un", "-s", "--sh", "-T", "--te", "-V", "-h", "-Q")  # and what prints something else
_OPTIONS = ("-o", "--options")


def prints_words(node: Node, near: Surroundings) -> bool:
    """Whether this is `$(getopt -o ... -- "$@")`, inside quotes or not, with no option that makes it print other text."""
    parts = nodes(node, "Parts")
    if len(parts) == 1 and kind(parts[0]) == "DblQuoted":
        parts = nodes(parts[0], "Parts")
    stmts = nodes(parts[0], "Stmts") if len(parts) == 1 and kind(parts[0]) == "CmdSubst" else []
    command = stmts[0].get("Cmd") or {} if len(stmts) == 1 else {}
    if kind(command) != "CallExpr" or "Assigns" in command or "getopt" in near.functions:
        return False
    argv = [word for arg in nodes(command, "Args") for word in words(arg, near)]
    before = list(takewhile(lambda word: word.text != "--", argv))
    if [word.text for word in argv[:1]] != ["getopt"] or len(before) == len(argv):
        return False
    known = all(
        word.text is not None or (ahead.text in _VALUED and not word.splits) for ahead, word in pairwise(before)
    )
    told = [word.begins for word in before]
    return known and any(text.startswith(_OPTIONS) for text in told) and not any(map(_differs, told))


def _differs(text: str) -> bool:
    """Options may be clustered: -qu."""
    return text.startswith(_UNQUOTED) or (text.startswith("-q") and text != "-q")


def arguments(node: Node, argv: list[Word], near: Surroundings) -> list[Word]:
    """The words of `eval set -- "$x"` as the `set` that it is; others as they are."""
    start, last = [word.text for word in argv[:-1]], nodes(node, "Args")[-1:]
    if start != ["eval", "set", "--"] or argv[-1].text is not None or "set" in near.functions:
        return argv
    parts = nodes(last[0], "Parts")
    inner = nodes(parts[0], "Parts") if len(parts) == 1 and kind(parts[0]) == "DblQuoted" else []
    held = near.variables.get(value(inner[0].get("Param"))) if len(inner) == 1 and inner[0].keys() <= _PLAIN else None
    quotes = held is QUOTED or (inner and prints_words(last[0], near))
    return [static("set"), static("--"), Word(None, "param", splits=True)] if quotes else argv


_PLAIN = frozenset(("Type", "Pos", "End", "Dollar", "Rbrace", "Short", "Param"))
