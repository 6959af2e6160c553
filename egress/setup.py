"""What the server's settings say of all sessions' traffic, as the gate is told it once, before it opens a door."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from egress.budget import Limits
from egress.destination import Address, Destination, Network, address_of, networks, normal_host

_PROXY_PORT = 80  # as in http://proxy.example, where none is written


class BadSetup(ValueError):
    """The settings cannot be followed; the text says which."""


@dataclass(frozen=True, slots=True)
class Setup:
    """`listed` are the private networks that may be reached, `hosts` are names that are not looked up."""

    upstream_ca: str | None  # a file in PEM of whom to believe in place of the system's authorities
    listed: tuple[Network, ...]
    hosts: Mapping[str, Address]
    learning: bool  # refuse nothing that is public, and record it
    limits: Limits
    proxy: Destination | None = None  # of plain HTTP, by which the world beyond is reached

    @classmethod
    def parse(cls, told: Mapping[str, Any]) -> "Setup":
        """Raises ValueError."""
        mode = told.get("mode", "enforce")
        if mode not in {"enforce", "learn"}:
            raise BadSetup(f"The mode is `enforce` or `learn`, not {mode!r}.")
        return cls(
            upstream_ca=told.get("upstream_ca"),
            listed=networks(told.get("networks") or ()),
            hosts={normal_host(name): _address(name, text) for name, text in (told.get("resolve") or {}).items()},
            learning=mode == "learn",
            limits=Limits.parse(told.get("limits") or {}),
            proxy=Destination.parse(told["proxy"], _PROXY_PORT) if told.get("proxy") else None,
        )


def _address(name: str, text: str) -> Address:
    address = address_of(text)
    if address is None:
        raise BadSetup(f"The host table sends {name} to {text!r}, which is not an address.")
    return address
