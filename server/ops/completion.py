"""`sandgate completion SHELL`: what a shell completes, made from the very words that are parsed, and names that there are.

A shell expands what it is given to complete, and agents choose names: one that a shell would obey is not completed.
"""

import argparse
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import shtab

from server.judge.approvals import Approvals
from server.ops.door import doors
from server.record.approval_rows import ApprovalRows
from server.record.snapshot_rows import SnapshotRows
from server.record.suspicion_rows import SuspicionRows
from server.settings.files import load
from server.settings.settings import Settings
from server.words import BadUsage

_HARMLESS: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*")
# By command and argument: names of what.
_NAMED: Final[Mapping[tuple[str, str], str]] = {
    **{(command, "session"): "sessions" for command in ("diff", "apply", "sessions close")},
    ("sessions release", "session"): "held",
    **{(command, "id"): "approvals" for command in ("approvals allow", "approvals deny")},
    ("approvals revoke", "id"): "allowed",
    ("snapshots delete", "names"): "snapshots",
    ("token revoke", "name"): "tokens",
}


def completion(arguments: argparse.Namespace) -> int:
    if arguments.names:
        _print_names(arguments.names)
        return 0
    if arguments.shell is None:
        raise BadUsage("say for which shell: bash, zsh or fish")
    root: argparse.ArgumentParser = arguments.root
    for command, action in _actions(root):
        if kind := _NAMED.get((command, action.dest)):
            action.complete = shtab.cmd(f"{root.prog} completion --names {kind}")  # type: ignore[attr-defined]  # shtab's own mark
        elif action.type is Path or (action.metavar or "").startswith(("DIR", "FILE")):  # type: ignore[union-attr]  # ours are texts
            action.complete = shtab.DIR if str(action.metavar).startswith("DIR") else shtab.FILE  # type: ignore[attr-defined]  # as above
    print(shtab.complete(root, arguments.shell))
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.Action]]:
    """Each with the words of its command."""
    for action in parser._actions:  # noqa: SLF001 - argparse shows its tree nowhere else
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
            for inner in action.choices.values():
                yield from _actions(inner)
        else:
            yield parser.prog.partition(" ")[2], action


# --- names -------------------------------------------------------------------------------------------------------------


def _print_names(kind: str) -> None:
    """One a line. Where they cannot be had there are none: nobody reads an error in the middle of what they type."""
    try:
        found = NAMES[kind](load())
    except Exception:  # noqa: BLE001 - whatever it is, the command itself says it
        return
    for name in dict.fromkeys(found):
        if _HARMLESS.fullmatch(name):
            print(name)


def _approvals(settings: Settings, state: str) -> list[str]:
    live = Approvals(ApprovalRows(settings.database), settings.approvals.pending_s).live()
    return [each.id for each in live if each.state == state and (state == "pending" or each.scope != "once")]


NAMES: Final[Mapping[str, Callable[[Settings], list[str]]]] = {
    "sessions": lambda settings: [door.session for door in doors(settings.runtime_dir)],
    "held": lambda settings: [str(row["name"]) for row in SuspicionRows(settings.database).all()],
    "snapshots": lambda settings: [str(row["name"]) for row in SnapshotRows(settings.database).all(kind="named")],
    "approvals": lambda settings: _approvals(settings, "pending"),
    "allowed": lambda settings: _approvals(settings, "allowed"),
    "tokens": lambda settings: [token.name for token in settings.http.tokens],
}
