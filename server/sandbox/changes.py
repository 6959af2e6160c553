"""What a session changed in the copy of a folder: the tree as it is now against the record of what was sent."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import anyio.to_thread

from policy.verdict import Permit
from server.sandbox.excludes import excludes
from server.sandbox.host_code import like_repositories
from server.sandbox.ignore import FILE, Ignore
from server.sandbox.manifest import Entry, Sent
from server.sandbox.sandbox import Sandbox
from server.sandbox.survey import folders_above, ignore_below, is_ignored
from server.sandbox.telling import MAX_TOLD, BadReading, Record, records, tell

BATCH: Final = 2_000  # paths that are asked for at once
_KINDS: Final = {b"f": "file", b"d": "folder", b"l": "link"}


@dataclass(frozen=True, slots=True)
class Change:
    """A path that is not as it was sent. `was` None: new; `now` None: gone. size: of the file as it is now."""

    path: str
    was: Entry | None
    now: Entry | None
    size: int = 0


@dataclass(frozen=True, slots=True)
class Changes:
    """ignored: new ones that git would ignore, a whole folder as one. unread: what could not be looked at, with why.

    repositories: folders that git would take for one, whatever they are called.
    """

    sent: Sent
    changes: tuple[Change, ...] = ()
    ignored: tuple[str, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)
    repositories: frozenset[str] = frozenset()


async def changes(sandbox: Sandbox, permit: Permit, sent: Sent) -> Changes:
    """Two looks: at names, which say what git ignores, then at the contents of the rest. Raises BadReading."""
    with await tell(sandbox, permit, "names", sent.target, b"") as file:
        names = await anyio.to_thread.run_sync(_take_names, file, sent)
    skipped = b"".join(os.fsencode(path) + b"\0" for path in names.ignored)
    with await tell(sandbox, permit, "hashes", sent.target, skipped) as file:
        return await anyio.to_thread.run_sync(_compare, names, file, sent)


async def contents(sandbox: Sandbox, permit: Permit, folder: str, paths: list[str], most: int) -> IO[bytes]:
    """Those files, for `records(with_files=True)`. most: bytes altogether."""
    told = b"".join(os.fsencode(path) + b"\0" for path in paths)
    return await tell(sandbox, permit, "files", folder, told, most + MAX_TOLD)


# --- names -------------------------------------------------------------------------------------------------------------


@dataclass
class _Names:
    found: dict[str, Record] = field(default_factory=dict[str, Record])
    ignored: list[str] = field(default_factory=list[str])
    unread: dict[str, str] = field(default_factory=dict[str, str])


def _take_names(file: IO[bytes], sent: Sent) -> _Names:
    names, rules = _Names(), dict[str, bytes]()
    for record in records(file):
        if record.kind == b"i":
            rules[record.path.removesuffix(FILE)] = record.blob
        elif record.kind == b"u":
            names.unread[record.path] = record.blob.decode("utf-8", "replace")
        elif record.kind in _KINDS:
            names.found[record.path] = record
    _leave_out_ignored(names, rules, sent)
    return names


def _leave_out_ignored(names: _Names, rules: Mapping[str, bytes], sent: Sent) -> None:
    """By the sandbox's own .gitignore files and what the host has beside its own; what was sent is compared in any case, and so is all that holds some."""
    holds_sent = {folder for path in sent.entries for folder in folders_above(path)} | sent.entries.keys()
    ignores: dict[str, Ignore | None] = {"": excludes(Path(sent.source)).with_file(rules.get("", b""))}
    kept: dict[str, Record] = {}
    for path, record in names.found.items():  # folders come before what is in them
        folder, _, name = path.rpartition("/")
        if folder not in ignores:
            continue  # below something that is ignored, or that was not told of
        ignore, is_folder = ignores[folder], record.kind == b"d"
        ignored = is_ignored(ignore, name, is_folder=is_folder)
        if ignored and path not in holds_sent:
            names.ignored.append(path)
            continue
        kept[path] = record
        if is_folder:
            inside = Ignore(closed=True) if ignored else ignore_below(ignore, name)
            ignores[path] = inside.with_file(rules.get(f"{path}/", b"")) if inside else None
    names.found = kept


# --- comparing ---------------------------------------------------------------------------------------------------------


def _compare(names: _Names, file: IO[bytes], sent: Sent) -> Changes:
    now, sizes = {path: entry for path, record in names.found.items() if (entry := _plain(record))}, dict[str, int]()
    unread = dict(names.unread)
    for record in records(file):
        if record.kind == b"u":
            unread[record.path] = record.blob.decode("utf-8", "replace")
        elif record.kind == b"f" and record.path in names.found:
            if len(record.blob) != 32:  # noqa: PLR2004 - a sha256
                raise BadReading("the sandbox told of a hash that is none")
            now[record.path] = Entry("file", record.mode, record.blob.hex())
            sizes[record.path] = record.size
    # A folder that may not be looked into hides what was sent with it; that is not the same as gone.
    hidden = [f"{path}/" for path in unread]
    gone = {
        path for path in sent.entries.keys() - now.keys() if path not in unread and not path.startswith(tuple(hidden))
    }
    differing = {path for path, entry in now.items() if not entry.same_as(sent.entries.get(path))} - unread.keys()
    found = tuple(
        Change(path, sent.entries.get(path), now.get(path), sizes.get(path, 0)) for path in sorted(gone | differing)
    )
    return Changes(sent, found, tuple(names.ignored), unread, like_repositories(names.found))


def _plain(record: Record) -> Entry | None:
    """Folders and links need no second look; a file without a hash went away in between."""
    match record.kind:
        case b"d":
            return Entry("folder", record.mode)
        case b"l":
            return Entry("link", record.mode, os.fsdecode(record.blob))
        case _:
            return None
