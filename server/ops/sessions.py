"""`sandgate sessions list|close|release`: what running servers have open, whoever's it is."""

import argparse
import json
import time
from dataclasses import asdict

from rich.console import Console
from rich.table import Column, Table

from server.keyring import Keyring
from server.ops.bad_input import BadInput
from server.ops.door import doors, find
from server.ops.shown import plain
from server.record.suspicion_rows import SuspicionRows
from server.recording import audit_for
from server.settings import ENVIRON
from server.settings_files import load

MINUTE = 60


def listed(arguments: argparse.Namespace) -> int:
    settings = load(arguments.config)
    found = list(doors(settings.runtime_dir))
    if arguments.json:
        print(json.dumps([{**asdict(door), "folder": str(door.folder)} for door in found], indent=2))
    elif found:
        told = ("owner", "environment", "state", "runs", "last used")
        rest = (Column(name, overflow="fold") for name in told)  # names are typed into other commands: none is cut
        table = Table(Column("session", no_wrap=True), Column("id", no_wrap=True), *rest, box=None)
        for door in found:
            row = (door.session, door.id, door.owner, door.environment, door.state, ", ".join(door.jobs) or "-")
            table.add_row(*map(plain, row), _ago(door.used))
        Console(markup=False).print(table)
    else:
        print("no session is open in a running server of yours")
    for held in SuspicionRows(settings.database).all() if not arguments.json else ():
        state = "frozen" if held["effect"] == "freeze" else "asked about"
        session = plain(str(held["name"]))
        print(
            f"{session} of {plain(str(held['owner']))} is {state}: {plain(str(held['why']))}; sandgate sessions release {session}"
        )
    return 0


def _ago(when: float) -> str:
    minutes = int((time.time() - when) / MINUTE)
    return f"{minutes} min ago" if minutes else "just now"


def close(arguments: argparse.Namespace) -> int:
    """The session is gone with its files, whatever ran in it; its owner's next call finds none, or gets a new one."""
    door = find(load(arguments.config).runtime_dir, arguments.session)
    door.close()
    print(f"closed {plain(door.session)} of {plain(door.owner)}")
    return 0


def release(arguments: argparse.Namespace) -> int:
    """Its next call is judged as any other, and what stood still in it goes on then."""
    settings = load(arguments.config)
    rows = SuspicionRows(settings.database)
    owner = {"owner": arguments.owner} if arguments.owner else {}
    found = rows.all(name=arguments.session, **owner)
    if not found:
        raise BadInput(f"nothing is held against a session {arguments.session}; `sandgate sessions list` shows what is")
    if len(found) > 1:
        owners = ", ".join(str(row["owner"]) for row in found)
        raise BadInput(f"several callers have a session {arguments.session}: add --owner, one of {owners}")
    audit = audit_for(settings, Keyring(settings.secret, ENVIRON))
    caller = str(found[0]["owner"])
    audit.write("anomaly.released", {"caller": caller, "session": arguments.session, "why": found[0]["why"]})
    audit.close()
    rows.drop(caller, arguments.session)
    print(f"released {plain(arguments.session)} of {plain(caller)}")
    return 0
