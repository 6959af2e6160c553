"""The operator's list of hosts as sessions use it: whether it speaks of a host, and the part of it that one asked for."""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping

from server.sandbox.egress_link import AllowEntry

type Roles = tuple[str, ...]
# What of the operator's entries a caller of these roles has; None where the policy does not answer.
type Policy = Callable[[Roles], Awaitable[tuple[AllowEntry, ...] | None]]

SHOWN = 20  # entries that a sentence names
_NAME = re.compile(r"(?=.*[a-z])(\*\.)?[\w-]+(\.[\w-]+)+(:\d+)?")  # no address


class HostNotAllowed(Exception):
    """A session asked for a host that the operator's list does not have."""


def entry_name(entry: AllowEntry) -> str:
    return entry if isinstance(entry, str) else str(entry["host"])


def covers(entry: AllowEntry, host: str) -> bool:
    """Whether a list entry speaks of that host: `*.x` is every name below x, never x itself; `*` is every name."""
    name, host = entry_name(entry).lower(), host.lower().rstrip(".")
    if name == "*":
        return _NAME.fullmatch(host) is not None
    return host.endswith(name[1:]) if name.startswith("*.") else host in (name, f"{name}:443", f"{name}:80")


def asks(entry: AllowEntry) -> bool:
    """Whether what it admits needs a yes each time."""
    return not isinstance(entry, str) and bool(entry.get("ask"))


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
    return (
        ", ".join(
            f"{entry_name(entry)} (a person is asked)" if asks(entry) else entry_name(entry) for entry in allow[:SHOWN]
        )
        or "none (the network is closed)"
    )


class AllowList:
    """The operator's hosts. `networks`: the part of them that an environment's sessions have, where that is not all."""

    def __init__(self, ask: Policy, networks: Mapping[str, tuple[str, ...]] | None = None) -> None:
        self._ask, self._networks = ask, networks or {}
        self._known: dict[Roles, tuple[AllowEntry, ...]] = {}
        self._changes = 0  # of the policy: what one before the last of them answered counts for nothing

    def knows(self, roles: Roles) -> bool:
        return roles in self._known

    async def learn(self, roles: Roles) -> None:
        """Before `of`: what these roles have, once for all sessions. Where there is no answer they have nothing."""
        while roles not in self._known:
            changes, found = self._changes, await self._ask(roles)
            if changes == self._changes:
                if found is not None:
                    self._known[roles] = found
                return

    async def learn_anew(self) -> None:
        """The policy has changed. Where it does so again meanwhile, who is told of that asks."""
        self._changes += 1
        changes = self._changes
        for roles in list(self._known):
            found = await self._ask(roles)
            if changes != self._changes:
                return
            if found is None:
                del self._known[roles]
            else:
                self._known[roles] = found

    def of(self, environment: str, chosen: tuple[str, ...] = (), roles: Roles = ()) -> tuple[AllowEntry, ...]:
        """What the roles have, or the part of it that the environment has; of that, what a session chose."""
        entries = self._known.get(roles, ())
        named = self._networks.get(environment)
        ceiling = narrowed(entries, named) if named else entries
        return narrowed(ceiling, chosen) if chosen else ceiling
