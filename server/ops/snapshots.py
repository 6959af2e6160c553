"""`sandgate snapshots list|delete`, and the part of `sandgate images list|prune` that is about prepared environments."""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import anyio
from rich.table import Table

from server.escaping import one_line
from server.keyring import Keyring
from server.ops.bad_input import BadInput
from server.ops.callers import is_of
from server.ops.columns import folded, show, typed
from server.sandbox.docker_snapshots import DockerSnapshots
from server.sandbox.snapshot import Snapshot
from server.sandbox.snapshots import Snapshots
from server.settings.files import load
from server.settings.settings import ENVIRON
from server.wiring.kept import snapshots as kept_snapshots
from server.wiring.kept import stored_images
from server.wiring.recording import audit_for

DAY: Final = 86400
HOUR: Final = 3600
MINUTE: Final = 60


@dataclass(frozen=True, slots=True)
class _Kept:
    snapshots: Snapshots
    images: DockerSnapshots


@contextmanager
def _kept(config: Path | None) -> Iterator[_Kept]:
    """As the settings say; what goes is recorded where servers record it."""
    settings = load(config)
    audit = audit_for(settings, Keyring(settings.secret, ENVIRON))
    try:
        images = stored_images(settings)
        yield _Kept(kept_snapshots(settings, images, audit.write), images)
    finally:
        audit.close()


def listing(arguments: argparse.Namespace) -> int:
    """All callers' snapshots, and the parked sessions, which are snapshots too. The engine is not asked."""
    with _kept(arguments.config) as kept:
        found = [snapshot for snapshot in kept.snapshots.every() if snapshot.kind != "prepared"]
    if arguments.json:
        print(json.dumps([asdict(snapshot) for snapshot in found], indent=2))
    elif found:
        show(_table(found))
    else:
        print("no snapshots; an agent takes one with the tool session_snapshot")
    return 0


def _table(found: Sequence[Snapshot]) -> Table:
    made = Table(typed("name"), *map(folded, ("owner", "kind", "environment", "size", "taken")), box=None)
    for snapshot in found:
        row = (snapshot.name, snapshot.owner, snapshot.kind, snapshot.environment)
        made.add_row(*map(one_line, row), _size(snapshot.size_bytes), _ago(snapshot.created))
    return made


def delete(arguments: argparse.Namespace) -> int:
    """0 where all that were named are gone; none is where one of them is not there."""
    with _kept(arguments.config) as kept:
        chosen = [_chosen(kept.snapshots.every(), name, arguments.owner) for name in arguments.names]
        for snapshot in chosen:
            anyio.run(kept.snapshots.delete, snapshot.owner, snapshot.name)
            print(one_line(f"deleted {snapshot.name} of {snapshot.owner}, {_size(snapshot.size_bytes)}"))
    return 0


def _chosen(every: Sequence[Snapshot], name: str, owner: str | None) -> Snapshot:
    found = [snapshot for snapshot in every if (snapshot.kind, snapshot.name) == ("named", name)]
    mine = [snapshot for snapshot in found if is_of(snapshot.owner, owner)]
    if not mine:
        others = f" of {owner}, only of {', '.join(each.owner for each in found)}" if found else ""
        raise BadInput(f"there is no snapshot {name}{others}; see them with: sandgate snapshots list")
    if len(mine) > 1:
        owners = ", ".join(snapshot.owner for snapshot in mine)
        raise BadInput(f"{name} is a snapshot of {owners}; say whose with --owner")
    return mine[0]


# --- prepared environments ---------------------------------------------------------------------------------------------


def prepared_table(config: Path | None) -> Table | None:
    """None where there are none."""
    made = Table(typed("prepared environment"), *map(folded, ("state", "size", "made")), box=None)
    for snapshot, state in _prepared(config):
        made.add_row(snapshot.environment, state, _size(snapshot.size_bytes), _ago(snapshot.created))
    return made if made.rows else None


def prepared_facts(config: Path | None) -> list[dict[str, Any]]:
    """The same for programs; sizes in bytes, times in seconds since 1970."""
    return [{**asdict(snapshot), "state": state} for snapshot, state in _prepared(config)]


def _prepared(config: Path | None) -> list[tuple[Snapshot, str]]:
    """Each with whether anything stands on it."""
    with _kept(config) as kept:
        found = [snapshot for snapshot in kept.snapshots.every() if snapshot.kind == "prepared"]
        used = _in_use(kept.images) if found else frozenset[str]()
    return [(snapshot, "in use" if snapshot.image in used else "ready") for snapshot in found]


def _in_use(images: DockerSnapshots) -> frozenset[str]:
    return frozenset(name for image in images.stored() if image.in_use for name in image.names)


def prune(arguments: argparse.Namespace) -> int:
    """Prepared environments that no sandbox stands on, snapshots past their time, and what dead servers left."""
    with _kept(arguments.config) as kept:
        anyio.run(_prune, kept, arguments.unused_for)
    return 0


async def _prune(kept: _Kept, unused_for_days: float) -> None:
    used = _in_use(kept.images)
    freed = 0
    for snapshot in await kept.snapshots.expire():
        freed += _told(snapshot, "past its time")
    for snapshot in kept.snapshots.unused("prepared", unused_for_days * DAY):
        if snapshot.image in used:
            print(f"kept environment {snapshot.environment}: a session or a warm sandbox stands on it")
            continue
        await kept.snapshots.delete(snapshot.owner, snapshot.name, "prepared")
        freed += _told(snapshot, "the next session prepares it anew")
    left = await kept.snapshots.sweep()
    if left:
        print(f"removed {len(left)} images that nothing refers to any more")
    print(f"freed {_size(freed)}" if freed or left else "nothing to remove")


def _told(snapshot: Snapshot, why: str) -> int:
    what = f"environment {snapshot.environment}" if snapshot.kind == "prepared" else f"snapshot {snapshot.name}"
    print(one_line(f"removed {what}, {_size(snapshot.size_bytes)}: {why}"))
    return snapshot.size_bytes


# --- words -------------------------------------------------------------------------------------------------------------


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _ago(then: float) -> str:
    seconds = max(0.0, time.time() - then)
    for unit, word in ((DAY, "days"), (HOUR, "hours"), (MINUTE, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {word} ago"
    return f"{seconds:.0f} seconds ago"
