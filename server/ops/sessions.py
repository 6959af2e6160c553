"""`sandgate sessions list|close|release`: what running servers have open, whoever's it is."""

import argparse
import json
import time
from dataclasses import asdict

from rich.table import Table

from server.escaping import one_line
from server.keyring import Keyring
from server.ops.bad_input import BadInput
from server.ops.callers import is_of
from server.ops.columns import folded, show, typed
from server.ops.door import doors, find
from server.record.suspicion_rows import SuspicionRows
from server.settings.files import load
from server.settings.settings import ENVIRON
from server.wiring.recording import audit_for

MINUTE = 60


def listed(arguments: argparse.Namespace) -> int:
    settings = load(arguments.config)
    found = list(doors(settings.runtime_dir))
    if arguments.json:
        print(json.dumps([{**asdict(door), "folder": str(door.folder)} for door in found], indent=2))
    elif found:
        told = ("owner", "environment", "state", "runs", "last used")
        table = Table(typed("session"), typed("id"), *map(folded, told), box=None)
        for door in found:
            row = (door.session, door.id, door.owner, door.environment, door.state, ", ".join(door.jobs) or "-")
            table.add_row(*map(one_line, row), _ago(door.used))
        show(table)
    else:
        print("no session is open in a running server of yours")
    for held in SuspicionRows(settings.database).all() if not arguments.json else ():
        state = "frozen" if held["effect"] == "freeze" else "asked about"
        session = one_line(str(held["name"]))
        print(
            f"{session} of {one_line(str(held['owner']))} is {state}: {one_line(str(held['why']))}; sandgate sessions release {session}"
        )
    return 0


def _ago(when: float) -> str:
    minutes = int((time.time() - when) / MINUTE)
    return f"{minutes} min ago" if minutes else "just now"


def close(arguments: argparse.Namespace) -> int:
    """The session is gone with its files, whatever ran in it; its owner's next call finds none, or gets a new one."""
    door = find(load(arguments.config).runtime_dir, arguments.session)
    door.close()
    print(f"closed {one_line(door.session)} of {one_line(door.owner)}")
    return 0


def release(arguments: argparse.Namespace) -> int:
    """Its next call is judged as any other, and what stood still in it goes on then."""
    settings = load(arguments.config)
    rows = SuspicionRows(settings.database)
    known = rows.all(name=arguments.session)
    found = [row for row in known if is_of(str(row["owner"]), arguments.owner)]
    if not found:
        others = f" of {arguments.owner}, only of {', '.join(str(row['owner']) for row in known)}" if known else ""
        raise BadInput(
            f"nothing is held against a session {arguments.session}{others}; `sandgate sessions list` shows what is"
        )
    if len(found) > 1:
        owners = ", ".join(str(row["owner"]) for row in found)
        raise BadInput(f"several callers have a session {arguments.session}: add --owner, one of {owners}")
    audit = audit_for(settings, Keyring(settings.secret, ENVIRON))
    caller = str(found[0]["owner"])
    audit.write("anomaly.released", {"caller": caller, "session": arguments.session, "why": found[0]["why"]})
    audit.close()
    rows.drop(caller, arguments.session)
    print(f"released {one_line(arguments.session)} of {one_line(caller)}")
    return 0
