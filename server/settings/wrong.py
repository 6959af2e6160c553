"""What is wrong with a settings document: a sentence for each key, with what was found there and what may stand there."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

MOST_SHOWN: Final = 60  # characters of what was found
# What somebody puts there by mistake may be a value that nobody should read.
_QUIET: Final = ("secret", "tokens", "sha256", "headers")
_OTHER_KIND: Final = ("string_type", "model_type", "model_attributes_type")
_CLASSES: Final = ("EgressRule",)  # what a value may be beside a text
_TABLE: Final = re.compile(r"a valid dictionary( or instance of \w+)?")

type Key = Sequence[int | str]


def sentences(error: ValidationError, model: type[BaseModel], source: str) -> list[str]:
    """In the order in which the settings are written down; `source` is the file, or what else they came from."""
    told = _of_one_way(error.errors())
    return list(dict.fromkeys(_sentence(one, model, source) for one in told))


def _of_one_way(errors: Sequence[ErrorDetails]) -> Iterator[ErrorDetails]:
    """Of a value that may be several things pydantic tells what is wrong with each: only the one that was meant counts."""
    for place, one in enumerate(errors):
        key = _key(one)
        others = [other for other in errors if other is not one and _key(other)[: len(key)] == key]
        meant = any(other["type"] not in _OTHER_KIND for other in others) or any(
            other in others for other in errors[:place]
        )
        if one["type"] not in _OTHER_KIND or not meant:
            yield one


def _key(one: ErrorDetails) -> list[int | str]:
    """Without the way that pydantic tried: function-after[...], or the name of a class."""
    return [part for part in one["loc"] if "[" not in str(part) and part not in _CLASSES]


def _sentence(one: ErrorDetails, model: type[BaseModel], source: str) -> str:
    key = _key(one)
    hint = _unknown(key, model) if one["type"] == "extra_forbidden" else _unfit(one, key)
    return f"{source}: {'.'.join(map(str, key))} {hint}"


def _unfit(one: ErrorDetails, key: Key) -> str:
    if one["type"] == "missing":
        return "is missing"
    told = _TABLE.sub("a table", one["msg"]).replace("a valid tuple", "a list").replace("Input should", "should")
    if not told.startswith("should") or not set(key).isdisjoint(_QUIET):
        return told.removeprefix("Value error, ")
    return f"{told}, not {_shown(one['input'])}"


def _shown(found: Any) -> str:
    """As TOML has it, near enough to be found again."""
    match found:
        case bool():
            return str(found).lower()
        case str() | int() | float():
            text = repr(found)
            return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."
        case Mapping():
            return "a table"
        case _:
            return "a list"


def _unknown(key: Key, model: type[BaseModel]) -> str:
    *above, last = key
    known = _known(above, model)
    near = difflib.get_close_matches(str(last), known, 1)
    instead = f"; did you mean {near[0]}?" if near else f"; {_table(above)} has {', '.join(known)}" if known else ""
    return f"is not a setting{instead or '; see `sandgate init --print` for all of them'}"


def _table(above: Key) -> str:
    return f"[{'.'.join(str(part) for part in above if isinstance(part, str))}]" if above else "the top of the file"


def _known(above: Key, model: type[BaseModel]) -> list[str]:
    """The settings of the table that the key goes down to; none where that is no table of ours."""
    for part in above:
        if isinstance(part, str) and part in model.model_fields:
            inner = next(_models(model.model_fields[part].annotation), None)
            if inner is None:
                return []
            model = inner
    return list(model.model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Those that an annotation names, as tables or in lists and tables of them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
