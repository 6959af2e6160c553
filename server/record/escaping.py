"""Text of an agent's, shown to a person: nothing in it is obeyed by a terminal, hidden, or turned round."""


def escaped(text: str) -> str:
    """Lines stay lines; every other character that does not print as itself is written out."""
    return "\n".join(_line(line) for line in text.split("\n"))


def one_line(text: str) -> str:
    """The same where nothing but one line is expected: an agent's text adds none of its own to ours."""
    return _line(text)


def _line(text: str) -> str:
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
