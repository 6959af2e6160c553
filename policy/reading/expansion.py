"""Expansions whose result the text already decides: of a variable that is known, of $(echo x), $(pwd)."""

import re
from collections.abc import Callable, Iterable, Iterator

from policy.reading import printed
from policy.reading.document import plain
from policy.reading.piece import BREAK, Piece, Word
from policy.reading.surroundings import Surroundings
from policy.reading.tree import Node, kind, nodes, value
from policy.reading.variables import POSITIONAL, UNSET, Held, Program, Unset

type Words = Callable[[Node], list[Word]]
type Pieces = list[Piece]

_PLAIN = frozenset(("Type", "Pos", "End", "Dollar", "Rbrace", "Short", "Param"))
_KNOWN = _PLAIN | {"Exp", "Index", "Length"}
_BLANKS = re.compile(r"[ \t\n]+")
_GLOB = re.compile(r"[*?\[\]]")
_UNCLEAR = re.compile(r"[\\()]")  # outside quotes a pattern, if options of the shell say so
_ORDINARY = re.compile(r"[^\\{*?\[~`$'\"]*")
_PROGRAM = re.compile(r"[A-Za-z0-9_][\w.+-]*", re.ASCII)
_BYTES = 8  # that cost as much as one word
_INDEX = re.compile(r"0|[1-9][0-9]{0,5}")  # with a zero in front it would be octal
_DEFAULTS = frozenset((":-", "-", ":=", "="))
_ALTERNATIVES = frozenset((":+", "+"))
_DEMANDS = frozenset((":?", "?"))


def known(part: Node, near: Surroundings, words: Words, *, quoted: bool, splits: bool) -> Pieces | None:
    """The pieces an expansion comes to; None if only bash will know. splits: it may become several words."""
    match kind(part):
        case "ParamExp":
            return _parameter(part, near, quoted=quoted, splits=splits)
        case "CmdSubst":
            text = _substituted(part, near, words)
            return None if text is None else _text(text, near, quoted=quoted or not splits)
        case _:
            return None


def located(node: Node, near: Surroundings, words: Words) -> str | None:
    """The program that a command's first word runs, where that word is `$(which x)` or a variable that holds it."""
    parts = nodes(node, "Parts")
    if len(parts) == 1 and kind(parts[0]) == "DblQuoted":
        parts = nodes(parts[0], "Parts")
    if len(parts) != 1:
        return None
    if kind(parts[0]) == "CmdSubst":
        return found_program(parts[0], near, words)
    held = near.variables.get(value(parts[0].get("Param"))) if parts[0].keys() <= _PLAIN else None
    return held.name if isinstance(held, Program) else None


def found_program(part: Node, near: Surroundings, words: Words) -> str | None:
    """x of `$(which x)` and `$(command -v x)`."""
    if either := _either(part):
        first, second = (found_program({"Stmts": [stmt]}, near, words) for stmt in either)
        return first if first and second and _VERSION.sub("", first) == _VERSION.sub("", second) else None
    match _command(part, near, words, quiet=True):
        case ["which", name] | ["command", "-v", name] | ["type", "-p" | "-P", name] if _PROGRAM.fullmatch(name):
            return name
        case _:
            return None


def tool_folder(part: Node, near: Surroundings, words: Words) -> str:
    """`go env GOPATH` and its like, which print the folder of their tools; "" for any other."""
    argv = " ".join(_command(part, near, words, quiet=True))
    return argv if argv in printed.TOOL_FOLDERS else ""


def _either(part: Node) -> tuple[Node, Node] | None:
    """Both sides of $(command -v python3.12 || command -v python3)."""
    stmts = nodes(part, "Stmts")
    command = (stmts[0].get("Cmd") or {}) if len(stmts) == 1 and not stmts[0].keys() & _NOT_ALONE else {}
    return (command["X"], command["Y"]) if kind(command) == "BinaryCmd" and command.get("Op") == "||" else None


_VERSION = re.compile(r"-?[\d.]+$")


def counts(part: Node, near: Surroundings) -> bool:
    """Whether a substitution prints nothing but numbers: $(wc -l < x), $(grep -n x f | head -1 | cut -d: -f1)."""
    stmts = nodes(part, "Stmts")
    if len(stmts) != 1 or near.variables.lost:
        return False
    commands = list(_pipeline(stmts[0]))
    return not any(argv[:1] == [name] for argv in commands for name in near.functions) and printed.counts(commands)


def _pipeline(stmt: Node) -> Iterator[list[str]]:
    """The words of each of its commands; an empty one for what is no plain command or word."""
    node = stmt.get("Cmd") or {}
    if kind(node) == "BinaryCmd" and node.get("Op") == "|" and not stmt.keys() & _NOT_ALONE:
        yield from _pipeline(node["X"])
        yield from _pipeline(node["Y"])
    elif kind(node) != "CallExpr" or "Assigns" in node or stmt.keys() & _NOT_ALONE:
        yield []
    else:
        yield [_plain_text(arg) for arg in nodes(node, "Args")]


def _plain_text(node: Node) -> str:
    """A word without expansions; "?" for any other."""
    parts = nodes(node, "Parts")
    return "".join(value(part) if kind(part) in ("Lit", "SglQuoted") else "?" for part in parts)


def _parameter(part: Node, near: Surroundings, *, quoted: bool, splits: bool) -> Pieces | None:
    if not part.keys() <= _KNOWN:
        return None
    elements, joins = _elements(part, near)
    if elements is not None:
        return _list(part, elements, near, joins=joins, quoted=quoted, splits=splits)
    held = _held(part, near)
    if not isinstance(held, str | tuple | Unset):
        return None
    text = _scalar(held)
    if part.get("Length"):
        return _text(str(len(text or "")), near, quoted=True) if (text or "").isascii() and "Exp" not in part else None
    if expansion := part.get("Exp"):
        text = _operated(expansion, text)
        if text is None:
            return None
    kept = value(part.get("Param")) in near.variables.kept  # no separator that is let pass takes such a path apart
    return _text(text or "", near, quoted=quoted or not splits or kept)


def _held(part: Node, near: Surroundings) -> Held | None:
    """What the parameter, or the element of the array, holds."""
    name = value(part.get("Param"))
    arguments = near.variables.get(POSITIONAL)
    if name == "#" and isinstance(arguments, tuple) and "Length" not in part:
        return str(len(arguments))
    if name != "0" and _INDEX.fullmatch(name):
        return _element(arguments, int(name) - 1)
    held = near.variables.get(name)
    defaults = (part.get("Exp") or {}).get("Op") in _DEFAULTS
    if held is None and ((name == "TMPDIR" and near.tmp) or (defaults and _is_left_out(name, near))):
        return UNSET
    if "Index" not in part:
        return held
    index = "".join(value(inner) for inner in nodes(part["Index"], "Parts"))
    return _element(held, int(index)) if _INDEX.fullmatch(index) else None


def _is_left_out(name: str, near: Surroundings) -> bool:
    """PYTHON=${PYTHON:-python3}: what people give a script in its environment, and leave out."""
    return near.variables.untouched(name) and LEFT_OUT.fullmatch(name) is not None


LEFT_OUT = re.compile(
    r"(?:(?:BUILD|DATA|DEST|DIST|INSTALL|LOGS?|OUT|OUTPUT|RESULTS?|SRC|TARGET|TEMP|TEST|TESTS|TMP|VENV|WORK)_?DIR)"
    r"|CARGO|CC|CMAKE|COUNT|CXX|DEST|ENV|GO|HOST|JOBS|MAKE|MODE|NODE|NPM|OUT|OUTPUT|PIP3?|PM|PREFIX|PY|PYTEST|PYTHON3?"
    r"|PYTHON_BIN|TARGET|VERSION|[A-Z_]*PORT",
)


def _element(held: Held | None, index: int) -> Held | None:
    if not isinstance(held, tuple):
        return None
    return held[index] if index < len(held) else UNSET


def _elements(part: Node, near: Surroundings) -> tuple[tuple[str, ...] | None, bool]:
    """The elements of $@, $*, ${a[@]} and ${a[*]}, and whether they are joined inside quotes."""
    name = value(part.get("Param"))
    index = [value(inner) for inner in nodes(part.get("Index") or {}, "Parts")]
    mark = name if name in ("@", "*") else index[0] if index in (["@"], ["*"]) else ""
    held = near.variables.get(POSITIONAL if mark == name else name) if mark else None
    return held if isinstance(held, tuple) else None, mark == "*"


def _list(
    part: Node, elements: tuple[str, ...], near: Surroundings, *, joins: bool, quoted: bool, splits: bool
) -> Pieces | None:
    if part.get("Length"):
        return [Piece(str(len(elements)), quoted=True)]
    if "Exp" in part or not near.variables.splits:
        return None
    if not splits or (quoted and joins):
        return _text(" ".join(elements), near, quoted=True)
    fields = [_text(element, near, quoted=quoted) for element in elements]
    return None if None in fields else _broken(field for field in fields if field is not None)


def _broken(fields: Iterable[Pieces]) -> Pieces:
    pieces: Pieces = []
    for index, field in enumerate(fields):
        pieces += [BREAK, *field] if index else field
    return pieces


def _scalar(held: str | tuple[str, ...] | Unset) -> str | None:
    """What $name is; None if it is not set."""
    if isinstance(held, tuple):
        return held[0] if held else None
    return held if isinstance(held, str) else None


def _operated(expansion: Node, text: str | None) -> str | None:
    """${x:-word} and its like; None if not known. An empty result is the empty text."""
    operator = str(expansion.get("Op"))
    there = text is not None and (text != "" or not operator.startswith(":"))
    if operator in _DEFAULTS:
        return text if there else _word(expansion.get("Word"))
    if operator in _DEMANDS:
        return text if there else None
    if operator in _ALTERNATIVES:
        return _word(expansion.get("Word")) if there else ""
    return None


def _word(node: Node | None) -> str | None:
    """A word in which nothing is quoted or expanded."""
    parts = nodes(node or {}, "Parts")
    plain = all(kind(part) == "Lit" and _ORDINARY.fullmatch(value(part)) for part in parts)
    return "".join(value(part) for part in parts) if plain else None


def _text(text: str, near: Surroundings, *, quoted: bool) -> Pieces | None:
    """A text as it is inside quotes; outside them it is split, and may be a pattern."""
    near.budget.spend(1 + len(text) // _BYTES)
    if quoted:
        return [Piece(text, quoted=True)]
    if not near.variables.splits or _UNCLEAR.search(text):
        return None
    return _broken([_field(field)] if field else [] for field in _BLANKS.split(text))


def _field(text: str) -> Piece:
    return Piece(text, reason="glob") if _GLOB.search(text) else Piece(text, quoted=True)


def _substituted(part: Node, near: Surroundings, words: Words) -> str | None:
    """What a builtin that only prints its words, or `cat` of a text in the script, would print, without the last newlines."""
    if (text := _shown(part, near)) is not None:
        return text.rstrip("\n")
    match argv := _command(part, near, words, quiet=True):
        case ["pwd"]:
            return near.cwd
        case ["git", "rev-parse", "--git-dir" | "--git-common-dir" | "--absolute-git-dir"]:
            return ".git"
        case ["git", "rev-parse", "--git-path", name]:
            return f".git/{name}"
        case ["mktemp", *arguments] if near.tmp:
            return printed.made(arguments)
        case ["echo", *texts] if not any("\\" in text for text in texts) and not "".join(texts[:1]).startswith("-"):
            return " ".join(texts).rstrip("\n")
        case ["printf", form, *arguments] if (text := printed.formatted(form, arguments)) is not None:
            return text.rstrip("\n")
        case _:
            return printed.sets_up(argv)


def prints(stmt: Node, near: Surroundings, words: Words) -> str | None:
    """What echo, printf or seq writes into a pipe, or cat of a text in the script."""
    part = {"Stmts": [stmt]}
    text = _substituted(part, near, words)
    return printed.few_numbers(_command(part, near, words)) if text is None else text


def _shown(part: Node, near: Surroundings) -> str | None:
    """The text of `$(cat <<'E' ...)`."""
    stmts = nodes(part, "Stmts")
    if len(stmts) != 1 or near.variables.lost or "cat" in near.functions or stmts[0].keys() & _NOT_ALONE:
        return None
    redirs, node = nodes(stmts[0], "Redirs"), stmts[0].get("Cmd") or {}
    names = [value(inner) for arg in nodes(node, "Args") for inner in nodes(arg, "Parts")]
    return plain(redirs[0]) if names == ["cat"] and len(redirs) == 1 and "Assigns" not in node else None


_NOT_ALONE = frozenset(("Background", "Negated", "Coprocess", "Disown"))


def _command(part: Node, near: Surroundings, words: Words, *, quiet: bool = False) -> list[str]:
    """The one command in a substitution, if its words are known; quiet: its complaints may be thrown away."""
    stmts = nodes(part, "Stmts")
    if len(stmts) != 1 or near.variables.lost or stmts[0].keys() & _NOT_ALONE:
        return []
    node = stmts[0].get("Cmd") or {}
    redirs = nodes(stmts[0], "Redirs")
    if kind(node) != "CallExpr" or "Assigns" in node or not all(quiet and _silences(redir) for redir in redirs):
        return []
    found = [word.text for arg in nodes(node, "Args") for word in words(arg)]
    texts = [text for text in found if text is not None]
    return texts if len(texts) == len(found) and texts[:1] and texts[0] not in near.functions else []


def _silences(redir: Node) -> bool:
    return redir.get("Op") == ">" and value(redir.get("N")) == "2"
