"""The syntax tree as shfmt's JSON gives it, and what arrives instead when there is none."""

from dataclasses import dataclass
from typing import Any

type Node = dict[str, Any]
type Tree = Node

_RETURN = "\x01"  # as long in bytes, and as ordinary to shfmt as a return is to bash


@dataclass(frozen=True, slots=True)
class Unparsable:
    """A text that is not bash, or that the parser gave up on; the reason is shown to people."""

    reason: str


def kind(node: Node) -> str:
    return str(node.get("Type", ""))


def nodes(node: Node, key: str) -> list[Node]:
    """A list of children; shfmt leaves empty ones out."""
    return node.get(key) or []


def value(node: Node | None) -> str:
    """The text of a name-like node."""
    return str(node.get("Value", "")) if node else ""


def literal(text: str, near: Node) -> Node:
    """A word that the tree leaves out."""
    return {"Pos": near["Pos"], "End": near["End"], "Parts": [{"Type": "Lit", "Value": text}]}


def disguised(text: str) -> str | None:
    """A carriage return is a character like any other for bash, but a space for shfmt. None if it cannot be disguised."""
    if "\r" not in text:
        return text
    return None if _RETURN in text else text.replace("\r", _RETURN)


def revealed(tree: Tree) -> Tree:
    return {key: _revealed(child) for key, child in tree.items()}


def _revealed(node: Any) -> Any:
    match node:
        case str():
            return node.replace(_RETURN, "\r")
        case list():
            return [_revealed(child) for child in node]
        case dict():
            return revealed(node)
        case _:
            return node


def span(node: Node) -> tuple[int, int]:
    return (node["Pos"]["Offset"], node["End"]["Offset"])
