"""Where bash does not run what its own grammar says.

bash 5.2 prints `$(...)` back into text and parses it again. After a here-document inside, it loses the separators: the
lines `rm -r` ; `/srv` become one command. The parser we use does not, so such a text is not read exactly.
"""

from collections.abc import Iterator

from policy.reading.budget import Budget
from policy.reading.tree import Node


def loses_separators(substitution: Node, budget: Budget) -> bool:
    """Whether a command starts behind a here-document; back-quotes are not printed, and so not concerned."""
    if substitution.get("Backquotes"):
        return False
    marks = list(_marks(substitution))
    budget.spend(len(marks))
    first = min((end for end, is_document in marks if is_document), default=None)
    return first is not None and any(start > first for start, is_document in marks if not is_document)


def _marks(node: object) -> Iterator[tuple[int, bool]]:
    """Where here-documents end (True), and where statements start."""
    if isinstance(node, list):
        for child in node:
            yield from _marks(child)
    elif isinstance(node, dict):
        if node.get("Op") in ("<<", "<<-"):
            yield (node["End"]["Offset"], True)
        if "Position" in node:
            yield (node["Position"]["Offset"], False)
        for key, child in node.items():
            if key not in ("Comments", "Last", "Pos", "End", "Position"):
                yield from _marks(child)
