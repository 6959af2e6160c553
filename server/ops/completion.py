"""`sandgate completion SHELL`: what a shell completes, made from the very words that are parsed."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import shtab


def completion(arguments: argparse.Namespace) -> int:
    root: argparse.ArgumentParser = arguments.root
    for action in _actions(root):
        if action.type is Path or (action.metavar or "").startswith(("DIR", "FILE")):  # type: ignore[union-attr]  # ours are texts
            action.complete = shtab.DIR if str(action.metavar).startswith("DIR") else shtab.FILE  # type: ignore[attr-defined]  # shtab's own mark
    print(shtab.complete(root, arguments.shell))
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:  # noqa: SLF001 - argparse shows its tree nowhere else
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
            for inner in action.choices.values():
                yield from _actions(inner)
        else:
            yield action
