"""A here-document whose text is all there: nothing in it is expanded."""

import re

from policy.reading import quoting
from policy.reading.tree import Node, kind, nodes, value


def expands(redir: Node) -> bool:
    """A here-document is data when any part of its delimiter is quoted."""
    parts = nodes(redir.get("Word") or {}, "Parts")
    return all(kind(part) == "Lit" and "\\" not in value(part) for part in parts)


def plain(redir: Node) -> str | None:
    """Its text; None if it is no here-document, or bash expands something in it."""
    parts = nodes(redir.get("Hdoc") or {}, "Parts")
    if redir.get("Op") not in ("<<", "<<-") or any(kind(part) != "Lit" for part in parts):
        return None
    text = "".join(value(part) for part in parts)
    if expands(redir):
        text = quoting.heredoc(text)
    return re.sub(r"(?m)^\t+", "", text) if redir.get("Op") == "<<-" else text
