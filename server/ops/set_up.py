"""Commands that prepare a machine, a client or the settings."""

import argparse
import ipaddress
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import tomlkit
from rich.console import Console
from tomlkit import TOMLDocument
from tomlkit.items import Array

from policy.verdict import Deny
from server.judge.operator_settings import SettingsError, rego_settings
from server.network_settings import RAW
from server.ops import engine_setup, presets
from server.ops import images as image_words
from server.ops import install as clients
from server.ops.policy import verdict_of
from server.ops.snapshots import prepared_facts, prepared_table
from server.ops.user_settings import NotSaved, parsed, save
from server.sandbox.engine import find_engine
from server.sandbox.image_build import list_images
from server.sandbox.workspaces import parse
from server.sandboxes import workspaces
from server.settings import ENVIRON, HOME, Settings
from server.settings_files import MANAGED, load, settings_files, user_file

_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
HOST = re.compile(rf"(\*\.)?({_LABEL}\.)+(?=[a-z]){_LABEL}", re.IGNORECASE)  # python3.13 is a command
LAST_PORT = 65535
PATHS = ("--workspace", "--config")


class NotInForce(Exception):
    """The line stands in the user's file, and a file with the later word says otherwise."""


def allow(arguments: argparse.Namespace) -> int:
    """Add one line to the user's own settings, or a preset's few; servers that run take them up within a second."""
    what = " ".join(arguments.what.split())
    if not what.startswith(presets.PREFIX):
        return _allow(what)
    found = presets.hosts(what.removeprefix(presets.PREFIX), ENVIRON, presets.asked)
    return max(_allow(host) for host in found)


def _allow(what: str) -> int:
    table = _table_of(what)
    path = user_file()
    document = parsed(path)
    load()  # refuses what is no setting, so the file is of the shape we expect
    entries = _entries(document, table)
    if what in entries:
        _demand_in_force(what, table)
        print(f"{what} is allowed already ({path})")
        return 0
    if table == "policy":
        _demand_liftable(what)
    else:
        _demand_reachable(what, path)
    entries.append(what)
    entries.multiline(multiline=True)
    save(path, tomlkit.dumps(document))
    _demand_in_force(what, table)
    kind = "host" if table == "egress" else "command"
    print(f"allowed {kind} {what} ({path}, [{table}]); running servers take it up by themselves")
    return 0


def _table_of(what: str) -> str:
    """Where it belongs. Raises NotSaved for what no server would start with."""
    if _is_host(what):
        return "egress"
    try:
        rego_settings({"allow": [what]}, "")
    except SettingsError:
        raise NotSaved(
            f"{what!r} is neither a host (example.com, *.example.com, example.com:8443)"
            ' nor a command by name and sub-command ("git push"); nothing was changed'
        ) from None
    return "policy"


def _demand_liftable(command: str) -> None:
    """A list answers questions beforehand; what a rule denies it does not lift, so it is not written either."""
    verdict = verdict_of(load(), command)
    # How code reaches an interpreter is judged by the whole call, which a bare name is not.
    lasting = [rule for rule in verdict.rules if not rule.id.startswith("code.")]
    if isinstance(verdict, Deny) and lasting:
        rule = lasting[0]
        raise NotSaved(f"{command} is denied by {rule.id}, which no list lifts: {rule.reason} Nothing was changed")


def _demand_reachable(entry: str, file: Path) -> None:
    """The gate refuses addresses that are not public whatever the list of hosts says. Raises NotSaved."""
    host = entry.removeprefix(RAW).partition(":")[0]
    try:
        address = ipaddress.IPv4Address(host)
    except ValueError:
        return  # a name: where it leads to is looked at with each request
    networks = [ipaddress.ip_network(network) for network in load().egress.networks]
    if not address.is_global and not any(address in network for network in networks):
        raise NotSaved(
            f"{host} is no public address, and those are out of reach whatever is allowed; where all sandboxes may reach it,"
            f' add to [egress] in {file}: networks = ["{host}/32"], then ask again. Nothing was changed'
        )


def _is_host(what: str) -> bool:
    host, colon, port = what.removeprefix(RAW).partition(":")
    if what.startswith(RAW) and not colon:
        return False
    if colon and not (port.isascii() and port.isdecimal() and 0 < int(port) <= LAST_PORT):
        return False
    try:
        return HOST.fullmatch(host) is not None or ipaddress.IPv4Address(host) is not None
    except ValueError:
        return False


def _entries(document: TOMLDocument, table: str) -> Array:
    section = document.setdefault(table, tomlkit.table())  # a table, an inline one, or parts of one that lie apart
    entries: Array = section.setdefault("allow", tomlkit.array())
    return entries


def _demand_in_force(what: str, table: str) -> None:
    settings = load()
    if what not in (settings.egress.allow if table == "egress" else settings.policy.allow):
        raise NotInForce(
            f"{what} stands in {user_file()}, but {MANAGED} or the file that SANDGATE_CONFIG names has a list of its own"
            f" ([{table}].allow), which replaces yours; ask whoever keeps that one"
        )


# --- clients -----------------------------------------------------------------------------------------------------------


def install(arguments: argparse.Namespace) -> int:
    program = Path(sys.argv[0]).resolve()
    if arguments.serve_arguments and not arguments.container:
        _demand_lent(arguments.served)
    plan = clients.plan_install(
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
    plan = clients.plan_uninstall(
        arguments.client,
        environ=ENVIRON,
        home=HOME,
        platform=sys.platform,
        project=_project(arguments.project),
        force=arguments.force,
    )
    return _carry_out(plan, "has no server of ours", only_show=arguments.print)


def _carry_out(plan: clients.Plan, unchanged: str, *, only_show: bool) -> int:
    if only_show:
        print(f"# {plan.path}\n{plan.after or ''}", end="")
    elif not plan.changes:
        print(f"{plan.path} {unchanged}; nothing to do")
    else:
        written = clients.apply(plan, datetime.now(UTC))
        done = "removed" if plan.after is None else "put back" if plan.spent else "wrote"
        kept = f"; the old one is {written.backup}" if written.backup else ""
        print(f"{done} {written.path}{kept}; restart the client to see it")
    return 0


# --- images and engine -------------------------------------------------------------------------------------------------


def images_build(arguments: argparse.Namespace) -> int:
    settings = load()
    engine = find_engine(ENVIRON, HOME, settings.state_dir)
    bundle = arguments.ca_bundle or _company_certificates()
    image_words.build_images(engine.url, Console(), arguments.images, bundle, force=arguments.force)
    return 0


def _company_certificates() -> Path | None:
    """SSL_CERT_FILE, where it names a bundle: what this machine trusts, its images must trust too."""
    named = ENVIRON.get("SSL_CERT_FILE")
    return Path(named) if named and Path(named).is_file() else None


def images_list(arguments: argparse.Namespace) -> int:
    engine = find_engine(ENVIRON, HOME, load().state_dir)
    if arguments.json:
        images = [asdict(state) for state in list_images(engine.url)]
        print(json.dumps({"images": images, "prepared": prepared_facts()}, indent=2))
        return 0
    console = Console()
    console.print(image_words.table(list_images(engine.url)))
    if prepared := prepared_table():
        console.print(prepared)
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
