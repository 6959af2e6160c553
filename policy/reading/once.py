"""Names that a text gives what mktemp made, and that nothing else in it writes: cleanup() { rm -rf "$tmp"; }."""

import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from policy.command import SimpleCommand

_MADE = re.compile(r"(?<![\w$/{.-])([A-Za-z_]\w*)=\"?(?:\$\(|`)\s*mktemp\b", re.ASCII)
_IN_TMP = "${TMPDIR:-/tmp}"
_DECLARE = frozenset(("declare", "typeset", "local", "readonly", "export"))
_READ = frozenset(("read", "mapfile", "readarray", "getopts"))


def names(text: str) -> frozenset[str]:
    """Those that the text mentions once without a dollar sign."""
    if "mktemp" not in text or "TMPDIR" in text.replace(
        _IN_TMP, ""
    ):  # most do not, and the pattern looks at every word
        return frozenset()
    return frozenset(name for name in _MADE.findall(text) if len(_mentions(name, text)) == 1)


def _mentions(name: str, text: str) -> list[str]:
    return re.findall(rf"(?<![\w$/{{.-]){name}\b(?!/)|\$\{{{name}:?=", text, re.ASCII)


def doubtful(once: AbstractSet[str], commands: Iterable[SimpleCommand]) -> bool:
    """Whether something was read that may write one of them after all: by a name put together, or not known."""
    if not once:
        return False
    places: dict[str, set[tuple[int, int]]] = {}
    for command in commands:
        if _writes_unknown(command):
            return True
        for assign in command.assigns:
            places.setdefault(assign.name, set()).add(command.span)
    return any(len(places.get(name, ())) > 1 for name in once)


def written(names: AbstractSet[str], commands: Iterable[SimpleCommand]) -> bool:
    """Whether a script writes one of these variables, or may."""
    return bool(names) and any(
        _writes_unknown(command)
        or command.name in ("source", ".", "eval")
        or any(assign.name in names for assign in command.assigns)
        for command in commands
    )


def _writes_unknown(command: SimpleCommand) -> bool:
    if command.name in _DECLARE:
        refers = any(word is not None and re.match(r"-\w*n", word) for word in command.argv)
        known = (known for word, known in zip(command.argv, command.known, strict=True) if word is None)
        return (refers and command.name != "export") or any("=" not in begins for begins in known)
    if command.name == "printf":
        return any(word is None or word.startswith("-v") for word in command.argv[1:2]) and None in command.argv[1:3]
    return command.name == "alias" or (command.name in _READ and None in command.argv)
