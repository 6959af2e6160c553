"""The operator's list of hosts as sessions use it: whether it speaks of a host, and the part of it that one asked for."""

from collections.abc import Iterable

from server.sandbox.egress_link import AllowEntry

SHOWN = 20  # entries that a sentence names


class HostNotAllowed(Exception):
    """A session asked for a host that the operator's list does not have."""


def entry_name(entry: AllowEntry) -> str:
    return entry if isinstance(entry, str) else str(entry["host"])


def covers(entry: AllowEntry, host: str) -> bool:
    """Whether a list entry speaks of that host: `*.x` is every name below x, never x itself."""
    name, host = entry_name(entry).lower(), host.lower().rstrip(".")
    return host.endswith(name[1:]) if name.startswith("*.") else host in (name, f"{name}:443", f"{name}:80")


def narrowed(allow: Iterable[AllowEntry], hosts: Iterable[str]) -> tuple[AllowEntry, ...]:
    """Those hosts, as far as the list has them, each still bound to the methods and paths that its entry names."""
    entries = tuple(allow)
    return tuple(_bound(entry, host) for host in hosts for entry in entries if covers(entry, host))


def _bound(entry: AllowEntry, host: str) -> AllowEntry:
    return host if isinstance(entry, str) else {**entry, "host": host}


def demand(allow: tuple[AllowEntry, ...], hosts: Iterable[str]) -> None:
    """Raises HostNotAllowed for the first that the list does not have."""
    for host in hosts:
        if not any(covers(entry, host) for entry in allow):
            raise HostNotAllowed(f"{host} is not among the allowed hosts: {listed(allow)}")


def listed(allow: tuple[AllowEntry, ...]) -> str:
    return ", ".join(entry_name(entry) for entry in allow[:SHOWN]) or "none (the network is closed)"
