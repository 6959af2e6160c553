"""`sandgate diff` and `sandgate apply`: what a session did to the copy of a folder, shown and brought back.

Nothing is run in the tree, no link is followed, and the host's folder is changed only here, by the person who says so.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from server.escaping import escaped, one_line
from server.ops.door import Door, find, spool
from server.ops.git_index import is_named_index, says_the_same
from server.sandbox.applying import Part, Step, apply, plan
from server.sandbox.changes import Change, Changes
from server.sandbox.git_config import obeyed
from server.sandbox.host_folder import below, opened, read_small
from server.sandbox.host_repositories import repositories
from server.sandbox.patch import Rename, patch, rename_patch, renames
from server.sandbox.selecting import Selection, select
from server.settings.files import load

MAX_SHOWN: Final = 8 << 20  # bytes of a file whose difference is shown; a larger one is named
MAX_NAMES: Final = 20  # of a list in a note


class Conflicts(Exception):
    """The host's folder changed where the session did; nothing was applied."""


class NotApplied(Exception):
    """The person said no."""


@dataclass(frozen=True, slots=True)
class _Reviewed:
    """One folder: what is chosen, what the host says to it, what stays."""

    found: Changes
    selection: Selection
    steps: tuple[Step, ...]

    def of(self, state: str) -> list[Step]:
        return [step for step in self.steps if step.state == state]


def diff(arguments: argparse.Namespace) -> int:
    """0 whether or not there are changes."""
    door, console = _door(arguments), Console(stderr=True, highlight=False)
    for found in _looked(door, console):
        with opened(Path(found.sent.source)) as root, spool() as file:
            reviewed = _reviewed(root, door, found, arguments.only)
            changes = [step.change for step in reviewed.steps if step.state != "there"]
            small = [one for one in changes if one.size <= MAX_SHOWN]
            parts = _fetched(door, found, small, file, console)
            for data in _patches(root, changes, parts):
                _write(data)
        _note(reviewed, console)
        _name_conflicts(reviewed, console)
    return 0


def apply_changes(arguments: argparse.Namespace) -> int:
    """All that is chosen, or nothing where anything of it is in conflict."""
    door, console = _door(arguments), Console(stderr=True, highlight=False)
    for found in _looked(door, console):
        with opened(Path(found.sent.source)) as root:
            reviewed = _reviewed(root, door, found, arguments.only)
            if reviewed.of("conflict") and not arguments.skip_conflicts:
                _name_conflicts(reviewed, console)
                raise Conflicts(
                    "nothing is applied while something is in conflict: choose without it by --only, or add "
                    "--skip-conflicts to leave it as it is on the host"
                )
            _list(reviewed)
            _note(reviewed, console)
            ready = [step.change for step in reviewed.of("ready")]
            if ready and not arguments.dry_run:
                _confirm(len(ready), found.sent.source)
                _make(root, door, found, ready, console)
            elif ready:
                print(f"{len(ready)} would be applied to {one_line(found.sent.source)}")
            elif reviewed.steps:
                print(f"nothing to apply: {one_line(found.sent.source)} has it already")
    return 0


def _door(arguments: argparse.Namespace) -> Door:
    return find(load(arguments.config).runtime_dir, arguments.session)


def _looked(door: Door, console: Console) -> list[Changes]:
    with console.status(f"looking through session {door.session}"):
        return door.changes()


def _reviewed(root: int, door: Door, found: Changes, only: Sequence[str]) -> _Reviewed:
    like_one = found.repositories | repositories(root, found.changes)
    selection = select(found.changes, like_one, only, obeyed(Path(found.sent.source)))
    held = [one for one in found.changes if one.path in selection.held]
    renewed = _only_renewed(root, door, found, [one for one in held if is_named_index(one.path)])
    told = {path: why for path, why in selection.held.items() if path not in renewed}
    return _Reviewed(found, replace(selection, held=told), plan(root, selection.chosen))


def _only_renewed(root: int, door: Door, found: Changes, indices: Sequence[Change]) -> set[str]:
    """Those that say what the host's own says: `git status` writes one anew, and that is nobody's change."""
    asked = [one for one in indices if one.was and one.now and one.size <= MAX_SHOWN]
    with spool() as file:
        parts = door.fetch(found.sent.target, [one.path for one in asked], file, lambda _: None) if asked else {}
        told = ((one.path, _on_host(root, one), _in_session(one, parts)) for one in asked)
        return {path for path, before, after in told if says_the_same(before or b"", after or b"")}


def _confirm(count: int, folder: str) -> None:
    """At a terminal only: in a script the command itself is the word of a person."""
    if sys.stdin.isatty() and sys.stdout.isatty():
        answer = input(f"Apply {count} {'change' if count == 1 else 'changes'} to {folder}? [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            raise NotApplied("nothing was applied")


def _make(root: int, door: Door, found: Changes, ready: list[Change], console: Console) -> None:
    with spool() as file:
        parts = _fetched(door, found, ready, file, console)
        with _bar(console, "applying", len(ready)) as came:
            kept = apply(root, ready, parts, lambda change: came(change.path))
    for folder in kept:
        console.print(f"kept {one_line(folder)}/: the host has more in it", markup=False)
    print(f"{len(ready)} applied to {one_line(found.sent.source)}")


def _fetched(
    door: Door, found: Changes, changes: Sequence[Change], file: IO[bytes], console: Console
) -> dict[str, Part]:
    wanted = [one.path for one in changes if one.now is not None and one.now.kind == "file"]
    if not wanted:
        return {}
    with _bar(console, "fetching", len(wanted)) as came:
        return door.fetch(found.sent.target, wanted, file, came)


# --- showing -----------------------------------------------------------------------------------------------------------


def _write(data: bytes) -> None:
    """To standard output: as it is for a program, with nothing hidden for a person."""
    if sys.stdout.isatty():
        data = escaped(data.decode("utf-8", "surrogateescape")).encode("utf-8", "replace")
    sys.stdout.buffer.write(data)


def _patches(root: int, changes: Sequence[Change], parts: dict[str, Part]) -> Iterator[bytes]:
    moved = {one.after.path: one for one in renames(changes)}
    gone = {one.before.path for one in moved.values()}
    for change in changes:
        if change.path in moved:
            yield rename_patch(moved[change.path])
        elif change.path not in gone:
            yield _patch(root, change, parts)


def _patch(root: int, change: Change, parts: dict[str, Part]) -> bytes:
    before, after = _on_host(root, change), _in_session(change, parts)
    if change.size > MAX_SHOWN or len(before or b"") > MAX_SHOWN:
        return f"# {one_line(change.path)}: {change.size} bytes, too large to show\n".encode("utf-8", "replace")
    return patch(change, before, after)


def _on_host(root: int, change: Change) -> bytes | None:
    if change.was is None:
        return None
    if change.was.kind == "link":
        return change.was.content.encode("utf-8", "surrogateescape")
    *folders, name = change.path.split("/")
    try:
        with below(root, folders) as folder:
            return read_small(folder, name, MAX_SHOWN + 1) or b""
    except OSError:
        return b""


def _in_session(change: Change, parts: dict[str, Part]) -> bytes | None:
    if change.now is None:
        return None
    if change.now.kind == "link":
        return change.now.content.encode("utf-8", "surrogateescape")
    if (part := parts.get(change.path)) is None:
        return b""
    part.file.seek(part.at)
    return part.file.read(part.size)


def _list(reviewed: _Reviewed) -> None:
    """One line a change: A new, M changed, D gone, R moved, C in conflict."""
    ready = [step.change for step in reviewed.of("ready")]
    moved = renames(ready)
    hidden = {one.before.path for one in moved} | {one.after.path for one in moved}
    lines = [*(_moved(one) for one in moved), *(_line(one) for one in ready if one.path not in hidden)]
    lines += [f"C {one_line(step.change.path)}: {step.why}, left as it is" for step in reviewed.of("conflict")]
    sys.stdout.write("".join(f"{line}\n" for line in lines).encode("utf-8", "replace").decode())
    sys.stdout.flush()


def _moved(rename: Rename) -> str:
    return f"R {one_line(rename.before.path)} -> {one_line(rename.after.path)}"


def _line(change: Change) -> str:
    letter = "A" if change.was is None else "D" if change.now is None else "M"
    end = "/" if "folder" in (change.now.kind if change.now else "", change.was.kind if change.was else "") else ""
    arrow = f" -> {one_line(change.now.content)}" if change.now and change.now.kind == "link" else ""
    return f"{letter} {one_line(change.path)}{end}{arrow}"


def _note(reviewed: _Reviewed, console: Console) -> None:
    """What is not among the changes, and why."""
    found, held = reviewed.found, reviewed.selection.held
    for why, count in Counter(held.values()).items():
        names = [one_line(path) for path, reason in held.items() if reason == why][:MAX_NAMES]
        more = f" and {count - len(names)} more" if count > len(names) else ""
        console.print(f"held back, {one_line(why)}: {', '.join(names)}{more}", markup=False, soft_wrap=True)
    if held:
        console.print("what is held back comes when --only names it, such as --only .envrc", markup=False)
    if found.ignored:
        left = ", ".join(map(one_line, found.ignored[:MAX_NAMES]))
        console.print(f"{len(found.ignored)} new and ignored by git, left: {left}", markup=False, soft_wrap=True)
    for path, why in list(found.unread.items())[:MAX_NAMES]:
        console.print(f"could not be read: {one_line(path)}: {one_line(why)}", markup=False, soft_wrap=True)
    if not reviewed.steps and not held:
        console.print(f"no changes to {found.sent.source}", markup=False)


def _name_conflicts(reviewed: _Reviewed, console: Console) -> None:
    if conflicts := reviewed.of("conflict"):
        told = ", ".join(f"{one_line(step.change.path)} ({one_line(step.why)})" for step in conflicts[:MAX_NAMES])
        more = f" and {len(conflicts) - MAX_NAMES} more" if len(conflicts) > MAX_NAMES else ""
        console.print(f"{len(conflicts)} in conflict: {told}{more}", markup=False, soft_wrap=True)


@contextmanager
def _bar(console: Console, what: str, total: int) -> Iterator[Callable[[str], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda _: progress.advance(task)
