"""Commands that clients of databases run on this machine, as their words or what they read say: .shell id, \\! id."""

import re

from policy.reading.context import Input
from policy.reading.effect import Call, Effects, RunScript

_DOTS = re.compile(
    r"^\s*\.(?:she?l?l?|sy[a-z]*)\s+(.+)|^\s*\.(?:o[a-z]*|im[a-z]*|rea[a-z]*)\s[^\n|]*\|\s*([^'\"\n]+)", re.MULTILINE
)
_MYSQL = re.compile(r"(?:^\s*system\s|\\!)\s*(.+)", re.MULTILINE | re.IGNORECASE)
_PSQL = re.compile(r"\\!\s*(.+)|\\(?:g|gx|o|out|w|write)\s*\|\s*(.+)|\b(?:from|to)\s+program\s+'([^']*)", re.IGNORECASE)
_STARTS = {"duckdb": _DOTS, "mariadb": _MYSQL, "mysql": _MYSQL, "psql": _PSQL, "sqlite3": _DOTS}


def dots(call: Call) -> Effects:
    """sqlite3 DATABASE '.shell command'."""
    return tuple(effect for word in call.operands for effect in _told(call.name, word.text or ""))


def dictated(call: Call, source: Input | None) -> Effects:
    """The same in a text of the script that is its input."""
    return _told(call.name, (source.text or "") if source and source.kind == "text" else "")


def _told(name: str, text: str) -> Effects:
    found = _STARTS[name].finditer(text) if name in _STARTS else ()
    commands = (next(filter(None, match.groups())) for match in found)
    return tuple(RunScript(command, "sh", f"{name} shell", lenient=True) for command in commands)
