"""Folders that git would take for a repository once changes have come, told by what the host has there as well.

A session need not have seen all of it: what git ignores was never sent, and an earlier session's changes lie there too.
"""

import os
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress

from server.sandbox.changes import Change
from server.sandbox.host_code import is_repository
from server.sandbox.host_folder import below


def repositories(root: int, changes: Iterable[Change]) -> frozenset[str]:
    """Of the folders that something comes into, and of those above them. No link is followed."""
    coming = defaultdict[str, set[str]](set)
    for change in changes:
        path = change.path if change.now is not None else ""
        while path:
            path, _, name = path.rpartition("/")
            coming[path].add(name)
    return frozenset(folder for folder, names in coming.items() if is_repository(names | _there(root, folder)))


def _there(root: int, folder: str) -> set[str]:
    names = set[str]()
    with (
        suppress(OSError, ValueError),
        below(root, folder.split("/") if folder else ()) as handle,
        os.scandir(handle) as entries,
    ):
        names.update(entry.name for entry in entries)
    return names
