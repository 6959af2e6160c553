"""What sh reads otherwise than bash. We parse by bash's grammar, and a plain sh (dash, ash) ends words and commands where
bash does not: `sh -c '((id))'` runs id, `sh -c '[[ x && id ]]'` too, and $'a\\' ends its quotes at the backslash."""

from collections.abc import Iterator
from typing import Any, Final

from policy.reading.tree import Node, kind

PLAIN: Final = frozenset(("sh", "dash", "ash", "posh", "yash"))
_OTHERWISE: Final = {"ArithmCmd": "(( ))", "TestClause": "[[ ]]"}


def otherwise(tree: Node) -> str:
    """The first construct in it that plain sh takes for something else; "" where there is none."""
    return next(_constructs(tree), "")


def _constructs(root: Node) -> Iterator[str]:
    waiting: list[Any] = [root]
    while waiting:
        match waiting.pop():
            case dict() as node:
                if found := _construct(node):
                    yield found
                waiting += node.values()
            case list() as several:
                waiting += several
            case _:
                pass


def _construct(node: Node) -> str:
    if kind(node) == "SglQuoted" and node.get("Dollar"):
        return "$'...'"
    if kind(node) == "ArithmExp" and node.get("Bracket"):
        return "$[ ]"
    return _OTHERWISE.get(kind(node), "")
