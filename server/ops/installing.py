"""`sandgate install` and `uninstall` as a person runs them; install.py plans what is written."""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from server.ops import install as planning
from server.ops.served import overrides
from server.ops.user_settings import NotSaved
from server.settings.files import load, settings_files
from server.settings.settings import ENVIRON, HOME
from server.wiring.environments import chosen
from server.wiring.workspaces import workspaces

PATHS = ("--workspace", "--config")


def install(arguments: argparse.Namespace) -> int:
    program = Path(sys.argv[0]).resolve()
    if arguments.serve_arguments and not arguments.container:
        _demand_served(arguments.served)
    plan = planning.plan_install(
        arguments.client,
        program,
        environ=ENVIRON,
        home=HOME,
        platform=sys.platform,
        extra=from_anywhere(arguments.serve_arguments, Path.cwd()),
        project=_project(arguments.project),
        force=arguments.force,
        container=arguments.container,
    )
    return _carry_out(plan, "says so already", only_show=arguments.print)


def _demand_served(served: argparse.Namespace) -> None:
    """A server that ends at once is a client's riddle, so what it would say is said now. Raises its errors."""
    settings = load(served.config, overrides(served))
    chosen(settings, workspaces(settings, settings_files(served.config)))


def from_anywhere(words: Sequence[str], here: Path) -> tuple[str, ...]:
    """Folders and files as they are meant here: a client starts its servers wherever it likes."""
    told: list[str] = []
    for word in words:
        option, equals, value = word.partition("=")
        if equals and option in PATHS:
            told.append(f"{option}={here / Path(value).expanduser()}")
        elif told and told[-1] in PATHS:
            told.append(str(here / Path(word).expanduser()))
        else:
            told.append(word)
    return tuple(told)


def _project(named: Path | None) -> Path | None:
    if named is not None and not named.is_dir():
        raise NotSaved(f"--project {named}: there is no such folder; nothing was changed")
    return named


def uninstall(arguments: argparse.Namespace) -> int:
    plan = planning.plan_uninstall(
        arguments.client,
        environ=ENVIRON,
        home=HOME,
        platform=sys.platform,
        project=_project(arguments.project),
        force=arguments.force,
    )
    return _carry_out(plan, "has no server of ours", only_show=arguments.print)


def _carry_out(plan: planning.Plan, unchanged: str, *, only_show: bool) -> int:
    if only_show:
        print(f"# {plan.path}\n{plan.after or ''}", end="")
    elif not plan.changes:
        print(f"{plan.path} {unchanged}; nothing to do")
    else:
        written = planning.apply(plan, datetime.now(UTC))
        done = "removed" if plan.after is None else "put back" if plan.spent else "wrote"
        kept = f"; the old one is {written.backup}" if written.backup else ""
        print(f"{done} {written.path}{kept}; restart the client to see it")
    return 0
