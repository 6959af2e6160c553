"""JSON as people keep it, with comments and trailing commas: one member put in or taken out, every other byte as it was."""

import json
import re
from dataclasses import dataclass
from typing import Any, Final

_BLANK: Final = re.compile(r"(?:[\s\ufeff]|//[^\r\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_SCALAR: Final = re.compile(r"[^\s,\]}/]+")
_SPACE: Final = " \t\r\n"
_INDENT: Final = re.compile(r"^([ \t]+)\S", re.MULTILINE)
_DEEPEST: Final = 200


class NotJson(ValueError):
    """The text is not JSON, even with comments; the sentence says where."""


@dataclass(frozen=True, slots=True)
class _Member:
    """Where a key begins, and where its value begins and ends."""

    name: str
    key: int
    start: int
    end: int
    value: Any
    inside: "_Object | None"


@dataclass(frozen=True, slots=True)
class _Object:
    """`end` is behind its brace; `comma`: whether one stands behind the last member."""

    start: int
    end: int
    members: tuple[_Member, ...]
    comma: bool

    def get(self, name: str) -> _Member | None:
        return next((member for member in self.members if member.name == name), None)


def read(text: str) -> dict[str, Any]:
    """Its content; {} where there is nothing but blanks. Raises NotJson."""
    made = _document(text)
    return {member.name: member.value for member in made.members} if made else {}


def put(text: str, key: str, name: str, value: object) -> str:
    """With `value` as member `name` of the object `key`, which is made where it is missing."""
    document = _document(text)
    if document is None:
        before = f"{text.rstrip()}\n" if text.strip() else ""
        return before + _written({key: {name: value}}, _unit(text), "\n", 0) + "\n"
    unit, newline = _unit(text), "\r\n" if "\r\n" in text else "\n"
    held = document.get(key)
    if held is None:
        return _added(text, document, key, _written({name: value}, unit, newline, 1), unit, newline, 1)
    if held.inside is None:
        raise NotJson(f"{key!r} is not an object")
    there = held.inside.get(name)
    if there is None:
        return _added(text, held.inside, name, _written(value, unit, newline, 2), unit, newline, 2)
    return text[: there.start] + _written(value, unit, newline, 2) + text[there.end :]


def take(text: str, key: str, name: str) -> str:
    """Without that member. A comment stays, for nobody knows whose it is."""
    document = _document(text)
    held = document.get(key) if document else None
    there = held.inside.get(name) if held and held.inside else None
    if held is None or held.inside is None or there is None:
        return text
    members = held.inside.members
    place = members.index(there)
    start, end = _leading(text, there.key, there.end), there.end
    if place < len(members) - 1:
        return text[:start] + text[_after_blanks(text, end) + 1 :]
    if held.inside.comma:
        end = _after_blanks(text, end) + 1
    elif place:
        comma = _after_blanks(text, members[place - 1].end)
        return text[:comma] + text[comma + 1 : start] + text[end:]
    return text[:start] + text[end:]


def _added(text: str, held: _Object, name: str, value: str, unit: str, newline: str, depth: int) -> str:
    """Last of all, on a line of its own, with a comma behind it where the one before has one. A comma that is new goes
    right behind the value before it, in front of any comment."""
    brace = held.end - 1
    inner = text[:brace].rstrip(_SPACE)
    if held.members and not held.comma:
        last = held.members[-1].end
        inner = inner[:last] + "," + inner[last:]
    member = f"{json.dumps(name)}: {value}{',' if held.comma else ''}"
    return f"{inner}{newline}{unit * depth}{member}{newline}{unit * (depth - 1)}{text[brace:]}"


def _written(value: object, unit: str, newline: str, depth: int) -> str:
    made = json.dumps(value, indent=unit, ensure_ascii=False)
    return made.replace("\n", newline + unit * depth)


def _unit(text: str) -> str:
    found = _INDENT.search(text)
    return found[1] if found else "  "


def _leading(text: str, key: int, end: int) -> int:
    """Where the blanks before a member begin. They stay where its line goes on, or it would join a comment before it."""
    goes_on = not text[end:].lstrip(" \t,").startswith(("\r", "\n"))
    return key if goes_on else len(text[:key].rstrip(_SPACE))


# --- reading -----------------------------------------------------------------------------------------------------------


def _document(text: str) -> _Object | None:
    at = _after_blanks(text, 0)
    if at == len(text):
        return None
    _, end, made = _value(text, at, 0)
    if made is None:
        raise NotJson("it does not hold a JSON object")
    if (rest := _after_blanks(text, end)) != len(text):
        raise NotJson(f"something follows its end, {_place(text, rest)}")
    return made


def _value(text: str, at: int, depth: int) -> tuple[Any, int, _Object | None]:
    """What stands there, where it ends, and its members where it is an object."""
    if depth > _DEEPEST:
        raise NotJson("it is nested too deeply")
    match text[at : at + 1]:
        case "{":
            made = _object(text, at, depth)
            return {member.name: member.value for member in made.members}, made.end, made
        case "[":
            return *_array(text, at, depth), None
        case '"':
            return *_string(text, at), None
        case _:
            found = _SCALAR.match(text, at)
            if found is None:
                raise NotJson(f"a value was expected {_place(text, at)}")
            return _loaded(text, at, found.end()), found.end(), None


def _object(text: str, at: int, depth: int) -> _Object:
    members: list[_Member] = []
    place, comma = _after_blanks(text, at + 1), False
    while text[place : place + 1] != "}":
        if members and not comma:
            raise NotJson(f"a comma was expected {_place(text, place)}")
        name, end = _string(text, place)
        colon = _after_blanks(text, end)
        if text[colon : colon + 1] != ":":
            raise NotJson(f"a colon was expected {_place(text, colon)}")
        start = _after_blanks(text, colon + 1)
        value, end, inside = _value(text, start, depth + 1)
        if any(member.name == name for member in members):
            raise NotJson(f"the name {name!r} occurs twice in one object")
        members.append(_Member(name, place, start, end, value, inside))
        place, comma = _next(text, end)
    return _Object(at, place + 1, tuple(members), comma)


def _array(text: str, at: int, depth: int) -> tuple[list[Any], int]:
    values: list[Any] = []
    place, comma = _after_blanks(text, at + 1), False
    while text[place : place + 1] != "]":
        if values and not comma:
            raise NotJson(f"a comma was expected {_place(text, place)}")
        value, end, _ = _value(text, place, depth + 1)
        values.append(value)
        place, comma = _next(text, end)
    return values, place + 1


def _next(text: str, end: int) -> tuple[int, bool]:
    """Behind a value: where the next thing stands, and whether a comma stood between."""
    place = _after_blanks(text, end)
    if text[place : place + 1] == ",":
        return _after_blanks(text, place + 1), True
    return place, False


def _string(text: str, at: int) -> tuple[str, int]:
    found = _STRING.match(text, at)
    if found is None:
        raise NotJson(f"a text in quotes was expected {_place(text, at)}")
    return str(_loaded(text, at, found.end())), found.end()


def _loaded(text: str, start: int, end: int) -> Any:
    try:
        return json.loads(text[start:end])
    except ValueError as error:
        raise NotJson(f"{text[start:end][:40]!r} is no value, {_place(text, start)}") from error


def _after_blanks(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _place(text: str, at: int) -> str:
    return f"in line {text.count(chr(10), 0, at) + 1}"
