"""`sandgate allow`: one line more in the user's own settings, or a preset's few; what a person wrote there stays."""

import argparse
import ipaddress
from collections.abc import Sequence
from pathlib import Path

import tomlkit
from tomlkit import TOMLDocument
from tomlkit.items import Array

from policy.verdict import Deny
from server.judge.operator_settings import SettingsError, rego_settings
from server.ops import presets
from server.ops.policy import verdict_of
from server.ops.user_settings import NotSaved, alone, parsed, save
from server.settings.egress import RAW, names_a_host
from server.settings.files import MANAGED, load, user_file
from server.settings.settings import ENVIRON

NEVER = tuple(  # what no setting opens, as the gate has it (egress/destination.py)
    map(
        ipaddress.IPv4Network,
        (
            *("169.254.0.0/16", "0.0.0.0/8", "224.0.0.0/4", "255.255.255.255"),
            *("100.100.100.200", "168.63.129.16", "192.0.0.192"),
        ),
    )
)


class NotInForce(Exception):
    """The line stands in the user's file, and a file with the later word says otherwise."""


def allow(arguments: argparse.Namespace) -> int:
    """Add one line to the user's own settings, or a preset's few; servers that run take them up within a second."""
    what = " ".join(arguments.what.split())
    found: Sequence[str] = (what,)
    if what.startswith(presets.PREFIX):
        found = presets.hosts(what.removeprefix(presets.PREFIX), ENVIRON, presets.asked)
    with alone(user_file()):
        return max(map(_allow, found))


def _allow(what: str) -> int:
    table = _table_of(what)
    path = user_file()
    document = parsed(path)
    load()  # refuses what is no setting, so the file is of the shape we expect
    entries = _entries(document, table)
    if table == "egress":
        _demand_reachable(what, path)
    if what in entries:
        _demand_in_force(what, table)
        print(f"{what} is allowed already ({path})")
        return 0
    if table == "policy":
        _demand_liftable(what)
    entries.append(what)
    entries.multiline(multiline=True)
    save(path, tomlkit.dumps(document))
    _demand_in_force(what, table)
    kind = "host" if table == "egress" else "command"
    print(f"allowed {kind} {what} ({path}, [{table}]); running servers take it up by themselves")
    return 0


def _table_of(what: str) -> str:
    """Where it belongs. Raises NotSaved for what no server would start with."""
    if names_a_host(what):
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
    if any(address in network for network in NEVER):
        raise NotSaved(
            f"{host} is a link-local, metadata or otherwise special address, which the gate refuses whatever is allowed;"
            " nothing was changed"
        )
    networks = [ipaddress.ip_network(network) for network in load().egress.networks]
    if not address.is_global and not any(address in network for network in networks):
        raise NotSaved(
            f"{host} is no public address, and those are out of reach whatever is allowed; where all sandboxes may reach it,"
            f' add to [egress] in {file}: networks = ["{host}/32"], then ask again. Nothing was changed'
        )


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
