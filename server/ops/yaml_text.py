"""YAML as people keep it: one block put under a key or taken out, every other line as it was."""

import io
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError

_INDENT: Final = 2
_WIDEST: Final = 4096  # nothing is folded: a path is easier to find on one line


class NotYaml(ValueError):
    """The text is not a YAML mapping whose lines can be added to; the sentence says why."""


def read(text: str) -> dict[str, Any]:
    """Its content; {} where there is nothing but comments. Raises NotYaml."""
    return dict(_document(text))


def put(text: str, key: str, name: str, value: object) -> str:
    """With `value` as block `name` under the mapping `key`, first of it; both are made where they are missing."""
    document, lines = _document(text), text.splitlines(keepends=True)
    newline = "\r\n" if "\r\n" in text else "\n"
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += newline
    if key not in document:
        return "".join([*lines, *_block({key: {name: value}}, 0, newline)])
    held = document[key]
    if held is None:
        row, column = document.lc.key(key)
        return "".join([*lines[: row + 1], *_block({name: value}, column + _INDENT, newline), *lines[row + 1 :]])
    _demand_lines(held, key)
    row, column = held.lc.key(next(iter(held)))
    if name in held:
        start, end = _rows(held, name, lines)
        return "".join([*lines[:start], *_block({name: value}, column, newline), *lines[end:]])
    return "".join([*lines[:row], *_block({name: value}, column, newline), *lines[row:]])


def take(text: str, key: str, name: str) -> str:
    """Without that block, and without the key where nothing else stood under it."""
    document, lines = _document(text), text.splitlines(keepends=True)
    held = document.get(key)
    if held is None or name not in held:
        return text
    _demand_lines(held, key)
    start, end = _rows(held, name, lines)
    if len(held) == 1 and document.lc.key(key)[0] == start - 1:
        start -= 1
    return "".join([*lines[:start], *lines[end:]])


def _document(text: str) -> CommentedMap:
    try:
        made = YAML().load(text)
    except YAMLError as error:
        told = error.problem if isinstance(error, MarkedYAMLError) else str(error).splitlines()[0]
        raise NotYaml(f"it is not YAML: {told}") from error
    if made is None:
        return CommentedMap()
    if not isinstance(made, CommentedMap):
        raise NotYaml("it does not hold a mapping")
    return made


def _demand_lines(held: object, key: str) -> None:
    if not isinstance(held, CommentedMap) or held.fa.flow_style():
        raise NotYaml(f"{key!r} is not written as a block of lines")


def _rows(held: CommentedMap, name: str, lines: list[str]) -> tuple[int, int]:
    """A member's lines: its own and all that is set in further, without the blank ones at the end."""
    start, column = held.lc.key(name)
    end = start + 1
    while end < len(lines) and (not lines[end].strip() or lines[end][: column + 1].isspace()):
        end += 1
    while not lines[end - 1].strip():
        end -= 1
    return start, end


def _block(value: object, column: int, newline: str) -> list[str]:
    made, out = YAML(), io.StringIO()
    made.width = _WIDEST
    made.dump(value, out)
    return [f"{' ' * column}{line}{newline}" for line in out.getvalue().splitlines()]
