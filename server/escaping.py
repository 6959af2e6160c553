"""Text of an agent's, shown to a person: nothing in it is obeyed by a terminal, hidden, or turned round."""

import logging
import re
from typing import Final

_ODD: Final = re.compile(r"[^ -~]")
_ODD_IN_LINES: Final = re.compile(r"[^\n\t -~]")


def escaped(text: str) -> str:
    """Line ends and tabs stay; every other character that does not print as itself is written out."""
    return _ODD_IN_LINES.sub(_printed, text)


def one_line(text: str) -> str:
    """The same where nothing but one line is expected: an agent's text adds none of its own to ours."""
    return _ODD.sub(_printed, text)


class Printed(logging.Formatter):
    """A line of the log as a person reads it: what it tells of may have been named in a sandbox."""

    def format(self, record: logging.LogRecord) -> str:
        said = f"sandgate: {one_line(record.getMessage())}"
        return f"{said}\n{escaped(self.formatException(record.exc_info))}" if record.exc_info else said


def _printed(found: re.Match[str]) -> str:
    letter = found[0]
    return letter if letter.isprintable() else letter.encode("unicode_escape").decode()
