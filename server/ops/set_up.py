"""Commands that prepare a machine, a client or the settings."""

import argparse
import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import tomlkit
from rich.console import Console
from tomlkit.items import Array, Table

from server.ops import doctor as examine
from server.ops import engine_setup
from server.ops import images as image_words
from server.ops import install as clients
from server.sandbox.engine import find_engine
from server.sandbox.image_build import list_images
from server.settings import ENVIRON, HOME, TEMPLATE, Settings, load, user_file

OPEN_FILES_NEEDED = 4096
LONGEST_SOCKET = "00000000/000000000000/control.sock"
MARKS = {"ok": "[green]ok[/]  ", "warn": "[yellow]weak[/]", "fail": "[red]no[/]  "}
HOST = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)+(:\d{1,5})?", re.IGNORECASE)


class NotSaved(Exception):
    """The settings file could not be changed; the sentence says why."""


def doctor(arguments: argparse.Namespace) -> int:
    """0 where Sandgate works here, with or without weaknesses."""
    settings = load()
    machine = examine.Machine(
        ENVIRON, HOME, settings.state_dir, settings.runtime_dir / LONGEST_SOCKET, OPEN_FILES_NEEDED
    )
    checks = examine.run(machine)
    weakened = [examine.Check("settings", "warn", sentence) for sentence in settings.warnings()]
    if arguments.json:
        rows = [{"name": c.name, "outcome": c.outcome, "sentence": c.sentence} for c in (*checks, *weakened)]
        print(json.dumps(rows, indent=2))
    else:
        console = Console(highlight=False)
        for check in (*checks, *weakened):
            console.print(f"{MARKS[check.outcome]} {check.name:14}", end="")
            console.print(check.sentence, markup=False)
    return 1 if any(check.outcome == "fail" for check in checks) else 0


def init(arguments: argparse.Namespace) -> int:
    path = user_file()
    if arguments.print:
        print(TEMPLATE, end="")
        return 0
    if path.exists():
        raise NotSaved(f"{path} exists; edit it, or see all settings with `sandgate init --print`")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(TEMPLATE)
    print(f"wrote {path}; every line in it is a default, change what you like")
    return 0


def allow(arguments: argparse.Namespace) -> int:
    """Add one line to the user's own settings; servers that run take it up within a second."""
    what: str = arguments.what.strip()
    is_host = HOST.fullmatch(what) is not None and " " not in what
    table = "egress" if is_host else "policy"
    path = user_file()
    document = tomlkit.parse(path.read_text()) if path.exists() else tomlkit.document()
    section = document.setdefault(table, tomlkit.table())
    assert isinstance(section, Table)  # noqa: S101 - load() has refused anything else
    entries = section.setdefault("allow", tomlkit.array())
    assert isinstance(entries, Array)  # noqa: S101 - load() has refused anything else
    load()
    if what in entries:
        print(f"{what} is allowed already ({path})")
        return 0
    entries.append(what)
    entries.multiline(multiline=True)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(tomlkit.dumps(document))
    load()
    print(
        f"allowed {'host' if is_host else 'command'} {what} ({path}, [{table}]); running servers take it up by themselves"
    )
    return 0


# --- clients -----------------------------------------------------------------------------------------------------------


def install(arguments: argparse.Namespace) -> int:
    program = Path(sys.argv[0]).resolve()
    plan = clients.plan_install(
        arguments.client,
        program,
        environ=ENVIRON,
        home=HOME,
        platform=sys.platform,
        extra=tuple(arguments.serve_arguments),
        project=arguments.project,
    )
    return _carry_out(plan, only_show=arguments.print)


def uninstall(arguments: argparse.Namespace) -> int:
    plan = clients.plan_uninstall(
        arguments.client, environ=ENVIRON, home=HOME, platform=sys.platform, project=arguments.project
    )
    return _carry_out(plan, only_show=arguments.print)


def _carry_out(plan: clients.Plan, *, only_show: bool) -> int:
    if only_show:
        print(f"# {plan.path}\n{plan.after}", end="")
    elif not plan.changes:
        print(f"{plan.path} says so already; nothing to do")
    else:
        written = clients.apply(plan, datetime.now(UTC))
        kept = f"; the old one is {written.backup}" if written.backup else ""
        print(f"wrote {written.path}{kept}; restart the client to see it")
    return 0


# --- images and engine -------------------------------------------------------------------------------------------------


def images_build(arguments: argparse.Namespace) -> int:
    settings = load()
    engine = find_engine(ENVIRON, HOME, settings.state_dir)
    image_words.build_images(engine.url, Console(), ca_bundle=arguments.ca_bundle, force=arguments.force)
    return 0


def images_list(_: argparse.Namespace) -> int:
    engine = find_engine(ENVIRON, HOME, load().state_dir)
    Console().print(image_words.table(list_images(engine.url)))
    return 0


def engine_ensure(_: argparse.Namespace) -> int:
    engine_setup.ensure(ENVIRON, HOME, _state())
    return 0


def engine_status(_: argparse.Namespace) -> int:
    found = engine_setup.status(ENVIRON, HOME, _state())
    print(found.sentence)
    return 0 if found.engine else 1


def engine_stop(_: argparse.Namespace) -> int:
    if not engine_setup.stop(_state()):
        print("no engine of ours is running")
    return 0


def _state() -> Path:
    settings: Settings = load()
    return settings.state_dir
