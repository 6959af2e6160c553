"""TOML as people keep it: one table put under another or taken out; tomlkit keeps the rest as it was."""

from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError


class NotToml(ValueError):
    """The text is not TOML, or something else stands where the tables belong; the sentence says why."""


def read(text: str) -> dict[str, Any]:
    """Its content. Raises NotToml."""
    return _document(text).unwrap()


def put(text: str, key: str, name: str, value: dict[str, object]) -> str:
    """With the table [key.name], at the end where it is new."""
    document = _document(text)
    if name in document.get(key, {}):
        document[key][name] = value
        return tomlkit.dumps(document)
    made = tomlkit.document()
    made[key] = tomlkit.table(is_super_table=True)
    made[key][name] = value
    newline = "\r\n" if "\r\n" in text else "\n"
    gap = newline if text.strip() else ""
    before = text if not text or text.endswith("\n") else text + newline
    return before + gap + tomlkit.dumps(made).replace("\n", newline)


def take(text: str, key: str, name: str) -> str:
    document = _document(text)
    held = document.get(key, {})
    if name in held:
        del held[name]
        if not held:
            del document[key]
    left, newline = tomlkit.dumps(document), "\r\n" if "\r\n" in text else "\n"
    return left.removesuffix(newline) if left.endswith(newline * 2) else left  # the gap that stood before it


def _document(text: str) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(text)
    except TOMLKitError as error:
        raise NotToml(str(error)) from error
