"""What hides inside words, arithmetic and tests: commands that run, text that is evaluated, variables that are set."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from policy.reading.piece import is_latent
from policy.reading.tree import Node, kind, nodes, value


@dataclass(frozen=True, slots=True)
class Substitution:
    """$(...), `...`, <(...) or >(...)."""

    node: Node
    via: str


@dataclass(frozen=True, slots=True)
class RawText:
    """Text that the parser left alone, but in which bash expands what it finds, and may evaluate the result."""

    text: str
    evaluated: bool = False


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The value of a variable is evaluated as arithmetic, or taken for the name of another. name: "" if there may be more."""

    name: str = ""


@dataclass(frozen=True, slots=True)
class PromptExpansion:
    """${x@P}: the value is expanded like a prompt, commands in it run."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """${x:=word} and its like set a variable."""

    name: str


@dataclass(frozen=True, slots=True)
class Default:
    """${x:-text} and its like stand for a text that is written out."""

    name: str
    text: str


type Finding = Substitution | RawText | Evaluation | PromptExpansion | Assignment | Default

_IDENTIFIER = re.compile(r"[A-Za-z_]")
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_PLAIN = frozenset(("Type", "Pos", "End", "Dollar", "Rbrace", "Short", "Param"))
_ONLY_COUNTING = frozenset((
    "+", "-", "*", "/", "%", "**", "<", ">", "<=", ">=", "==", "!=", "&", "|", "^", "<<", ">>", "&&", "||", "!", "~",
    "?", ":", ",",
))  # fmt: skip
_EVALUATING_TESTS = frozenset(("-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-v", "-R"))
_DEFAULTS = frozenset((":-", "-", ":=", "=", ":+", "+"))
_CHILDREN = ("Parts", "X", "Y", "Word", "Value", "Index", "Elems", "Array", "Exprs", "Hdoc")


def findings(node: Node | None, *, evaluated: bool = False, quoted: bool = False) -> Iterator[Finding]:
    """Everything in one expression, in the order bash meets it. evaluated: inside arithmetic; quoted: inside "..."."""
    if node is None:
        return
    match kind(node):
        case "Lit":
            if evaluated and _IDENTIFIER.search(value(node)):
                yield Evaluation(value(node) if _NAME.fullmatch(value(node)) else "")
        case "SglQuoted":
            yield from _single(node, expands=evaluated or quoted, evaluated=evaluated)
        case "DblQuoted":
            for part in nodes(node, "Parts"):
                yield from findings(part, evaluated=evaluated, quoted=True)
        case "CmdSubst" | "ProcSubst":
            yield from _substitution(node, evaluated=evaluated)
        case "ParamExp":
            yield from _parameter(node, evaluated=evaluated, quoted=quoted)
        case "ExtGlob":
            yield RawText(value(node.get("Pattern")))
        case _:
            yield from _children(node, evaluated=evaluated or _evaluates(node), quoted=quoted)


def _substitution(node: Node, *, evaluated: bool) -> Iterator[Finding]:
    yield Substitution(node, "$()" if kind(node) == "CmdSubst" else f"{node.get('Op', '<(')})")
    if evaluated:
        yield Evaluation()


def _evaluates(node: Node) -> bool:
    """$(( )) does; so do both sides of [[ x -eq y ]], and [[ -v name ]] with the subscript in a name."""
    tests = kind(node) in ("BinaryTest", "UnaryTest")
    return kind(node) == "ArithmExp" or (tests and node.get("Op") in _EVALUATING_TESTS)


def _children(node: Node, *, evaluated: bool, quoted: bool) -> Iterator[Finding]:
    if kind(node).endswith("Arithm") and node.get("Op") not in _ONLY_COUNTING:
        yield Evaluation()
    for key in _CHILDREN:
        child = node.get(key)
        inside = evaluated or key == "Index"  # a subscript is arithmetic wherever it stands
        for inner in child if isinstance(child, list) else [child]:
            if isinstance(inner, dict):
                yield from findings(inner, evaluated=inside, quoted=quoted)


def _single(node: Node, *, expands: bool, evaluated: bool) -> Iterator[Finding]:
    """Single quotes do not protect inside arithmetic, nor inside "${x:-'...'}"."""
    text = value(node)
    if expands and is_latent(text):
        yield RawText(text, evaluated)
    if evaluated and _IDENTIFIER.search(text):
        yield Evaluation()


def _parameter(node: Node, *, evaluated: bool, quoted: bool) -> Iterator[Finding]:
    expansion = node.get("Exp") or {}
    operator = expansion.get("Op")
    if evaluated or (node.get("Excl") and not node.get("Names")):
        yield Evaluation(value(node.get("Param")) if node.keys() <= _PLAIN else "")
    yield from _subscript(node.get("Index"))
    for key in ("Offset", "Length"):
        yield from findings((node.get("Slice") or {}).get(key), evaluated=True)
    for key in ("Orig", "With"):
        yield from findings((node.get("Repl") or {}).get(key), quoted=quoted)
    if operator == "@" and any("P" in value(part) for part in nodes(expansion.get("Word") or {}, "Parts")):
        yield PromptExpansion()
    if operator in (":=", "="):
        yield Assignment(value(node.get("Param")))
    if operator in _DEFAULTS:
        yield Default(
            value(node.get("Param")), "".join(value(part) for part in nodes(expansion.get("Word") or {}, "Parts"))
        )
    yield from findings(expansion.get("Word"), evaluated=evaluated, quoted=quoted)
    yield from findings(node.get("NestedParam"), quoted=quoted)


def _subscript(index: Node | None) -> Iterator[Finding]:
    if index is not None and [value(part) for part in nodes(index, "Parts")] not in (["@"], ["*"]):
        yield from findings(index, evaluated=True)
