"""`sandgate sessions list|close`: what running servers have open, whoever's it is."""

import argparse
import json
import time
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from server.ops.door import doors, find
from server.ops.shown import plain
from server.settings_files import load

MINUTE = 60


def listed(arguments: argparse.Namespace) -> int:
    found = list(doors(load(arguments.config).runtime_dir))
    if arguments.json:
        print(json.dumps([{**asdict(door), "folder": str(door.folder)} for door in found], indent=2))
    elif found:
        table = Table("session", "id", "owner", "environment", "state", "runs", "last used", box=None)
        for door in found:
            row = (door.session, door.id, door.owner, door.environment, door.state, ", ".join(door.jobs) or "-")
            table.add_row(*map(plain, row), _ago(door.used))
        Console(markup=False).print(table)
    else:
        print("no session is open in a running server of yours")
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
