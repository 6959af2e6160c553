"""Our rules as the embedded engine gets them: the same text in one module, each rule under a name of its own.

The engine goes through all modules whenever a rule asks for data of another package, and again to find the module of each
rule: that is a third of a decision. What is loaded so says what the files say, which OPA and operators get; the
differential tests hold the one against the other.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

_ROOT: Final = "sandgate"
_FILE: Final = "sandgate.rego"  # what the one module is called
_START: Final = "#: "  # before the name of a file, on the line before its first
_ENTRY: Final = "entrypoint: true"  # asked for by name, so such a package keeps its rules' names
_PACKAGE: Final = re.compile(r"^package ([\w.]+)$", re.MULTILINE)
_IMPORT: Final = re.compile(r"^import (.*)$", re.MULTILINE)
_IMPORTED: Final = re.compile(r"data\.[\w.]+\.(\w+)")
_RAW: Final = re.compile(r"`[^`]*`")
_HEAD: Final = re.compile(r"^(?!package |import |else\b)(?:default )?([A-Za-z_]\w*)", re.MULTILINE)
_WORD: Final = re.compile(
    r"""
    "(?:\\.|[^"\\\n])*" | `[^`]*` | \#[^\n]* | \.\w+  # texts, comments and fields name no rule
    | \bdata\b (?P<path>(?:\.[A-Za-z_]\w*)*)
    | \b(?P<name>[A-Za-z_]\w*) (?P<member>(?:\.[A-Za-z_]\w*)?)
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class _Module:
    text: str
    package: str
    heads: frozenset[str]  # names of the rules in this file


def linked(modules: Mapping[str, str]) -> dict[str, str]:
    """The one module, and those whose rules are asked for by name; ValueError for what cannot surely be carried over."""
    read = {name: _read(name, text) for name, text in modules.items()}
    rules: dict[str, frozenset[str]] = {}
    for module in read.values():
        rules[module.package] = rules.get(module.package, frozenset()) | module.heads
    apart = {module.package for module in read.values() if _ENTRY in module.text} - {_ROOT}
    texts = {name: _Linker(name, module, rules, apart).text() for name, module in read.items()}
    one = "".join(f"{_START}{name}\n{texts.pop(name)}" for name in read if read[name].package not in apart)
    return {_FILE: f"package {_ROOT}\n{one}", **texts}


def in_files(trouble: str, loaded: Mapping[str, str]) -> str:
    """What an engine said that has loaded these, with the file and line where it named those of the one module."""

    def place(found: re.Match[str]) -> str:
        until = loaded[_FILE].split("\n")[: int(found[1])]
        start = max(at for at, line in enumerate(until) if line.startswith(_START))
        return f"{until[start].removeprefix(_START)}:{len(until) - 1 - start}"

    return re.sub(rf"\b{re.escape(_FILE)}:(\d+)", place, trouble) if _FILE in loaded else trouble


def _read(name: str, text: str) -> _Module:
    package = _PACKAGE.search(text)
    if package is None:
        raise ValueError(f"{name}: there is no package")
    return _Module(text, package[1], frozenset(_HEAD.findall(_RAW.sub("``", text))))


@dataclass(frozen=True, slots=True)
class _Linker:
    """Writes one module anew: `rules` are the names in each package, `apart` the packages that stay as they are."""

    file: str
    module: _Module
    rules: Mapping[str, frozenset[str]]
    apart: set[str]

    def text(self) -> str:
        """A name changes wherever it stands for a value, a local one too: what it hid, it goes on hiding."""
        imports = dict(self._imports())
        package = self.module.package
        own = self.rules[package]

        def renamed(word: re.Match[str]) -> str:
            path, name, member = word["path"], word["name"], word["member"]
            if path is not None:
                return self._rule(path.split(".")[1:]) or word[0]
            if name in imports:
                return self._rule([*imports[name], member[1:]]) or word[0]
            return self._called(package, name, from_within=True) + member if name in own else word[0]

        before, line, body = _IMPORT.sub("", self.module.text).partition(f"package {package}\n")
        return before + (line if package in self.apart else "\n") + _WORD.sub(renamed, body)

    def _imports(self) -> Iterator[tuple[str, list[str]]]:
        for each in _IMPORT.findall(self.module.text):
            if (imported := _IMPORTED.fullmatch(each)) is None:
                raise ValueError(f"{self.file}: import {each} is not of a package by its own name")
            yield imported[1], each.split(".")[1:]

    def _rule(self, path: list[str]) -> str | None:
        """How a path below data is written here; None where it can only be a table. Raises ValueError for a doubt."""
        for length in range(len(path) - 1, 0, -1):
            package, name = ".".join(path[:length]), path[length]
            if name in self.rules.get(package, ()):
                called = self._called(package, name, from_within=package == self.module.package)
                return ".".join([called, *path[length + 1 :]])
        start = ".".join([*path[:2], ""])
        if any(f"{package}.".startswith(start) for package in self.rules):
            raise ValueError(f"{self.file}: {'.'.join(['data', *path])} names no rule")
        return None

    def _called(self, package: str, name: str, *, from_within: bool) -> str:
        if package in self.apart:
            return name if from_within else f"data.{package}.{name}"
        flat = "__".join([*package.split(".")[1:], name])
        return f"data.{_ROOT}.{flat}" if self.module.package in self.apart else flat
