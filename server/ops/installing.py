"""`sandgate install` and `uninstall` as a person runs them; install.py plans what is written."""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from server.ops import install as planning
from server.ops.user_settings import NotSaved
from server.sandbox.workspaces import parse
from server.sandboxes import workspaces
from server.settings import ENVIRON, HOME
from server.settings_files import load, settings_files

PATHS = ("--workspace", "--config")


def install(arguments: argparse.Namespace) -> int:
    program = Path(sys.argv[0]).resolve()
    if arguments.serve_arguments and not arguments.container:
        _demand_lent(arguments.served)
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


def _demand_lent(served: argparse.Namespace) -> None:
    """A server that ends at once is a client's riddle, so what cannot be lent is said now. Raises BadWorkspace."""
    told = tuple({"path": path.expanduser(), "mode": mode} for path, mode in map(parse, served.workspace))
    lent = {"workspace": told} if told else {}
    owned = {"allow_root_owned": True} if served.allow_root_owned else {}
    workspaces(load(served.config, {**lent, **owned}), settings_files(served.config))


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
