"""The settings of what leaves a sandbox: [egress], the list of hosts and its bounds."""

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from server.settings.table import Table

# A name below at least one dot (`*` and `*.com` would be no list), or an address written out; a port where it is another.
HOST_ENTRY = re.compile(r"((\*\.)?[\w-]+(\.[\w-]+)+|\[[0-9a-fA-F:.]+\]|localhost)(:[1-9]\d{0,4})?")

# `localhost:8000` and addresses need no listener: a program reaches them by HTTP_PROXY, or its own server there.
_PORT_OF_A_NAME = re.compile(r"(?<!localhost)(?<![\d.\]]):(\d+)$")
_TAKEN = frozenset({53, 3128})  # inside, of the resolver and of the proxy
MOST_PORTS = 64

RAW = "tcp://"  # an entry of this kind is passed unread

_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_NAME = re.compile(rf"(\*\.)?({_LABEL}\.)+(?=[a-z]){_LABEL}", re.IGNORECASE)  # python3.13 is a command
_LAST_PORT = 65535


def names_a_host(text: str) -> bool:
    """Whether `sandgate allow TEXT` is about a host. Of a name without a dot it would be about a command: a sandbox that
    asks for the host `ssh` may not get a person to allow ssh."""
    host, colon, port = text.removeprefix(RAW).partition(":")
    if text.startswith(RAW) and not colon:
        return False
    if colon and not (port.isascii() and port.isdecimal() and 0 < int(port) <= _LAST_PORT):
        return False
    try:
        return _NAME.fullmatch(host) is not None or ipaddress.IPv4Address(host) is not None
    except ValueError:
        return False


def _entry_host(host: str) -> str:
    if host.startswith(RAW):
        if not HOST_ENTRY.fullmatch(host.removeprefix(RAW)) or "*" in host or not re.search(r":\d+$", host):
            raise ValueError(f"{host!r} is not one host and port: write tcp://db.example.com:5432")
        return host
    if not HOST_ENTRY.fullmatch(host):
        raise ValueError(f"{host!r} is not a host: write example.com, *.example.com (not the apex) or example.com:8443")
    return host


def _asked_host(host: str) -> str:
    if host != "*" and not HOST_ENTRY.fullmatch(host):
        raise ValueError(f"{host!r} is not a host to ask about: write example.com, *.example.com, or * for any")
    return host


def _proxy(url: str) -> str:
    if url and not _PROXY.fullmatch(url):
        raise ValueError(
            "is not a proxy that the gate can use: write http://HOST:PORT, without a user's name or password"
        )
    return url


type AskEntry = Annotated[str, AfterValidator(_asked_host)]
type HostEntry = Annotated[str, AfterValidator(_entry_host)]


_PROXY = re.compile(r"http://([\w.-]+|\[[0-9a-fA-F:.]+\])(:[1-9]\d{0,4})?/?", re.ASCII)


class EgressRule(Table):
    """An allowlist entry with more than a host: methods, globs over the path, and the roles that have it."""

    host: HostEntry
    methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()  # whose callers have it; nothing: everybody's


class EgressSettings(Table):
    allow: tuple[HostEntry | EgressRule, ...] = ()
    ask: tuple[AskEntry, ...] = ()  # a request to one of these is held until a person has answered
    hold_s: Annotated[float, Field(ge=1, le=600)] = 60.0  # so long at most; then it is refused
    held: Annotated[int, Field(ge=1, le=64)] = 8  # of each session, at once
    mode: Literal["enforce", "learn"] = "enforce"
    networks: tuple[str, ...] = ()  # private networks that allowed names may resolve to
    resolve: dict[str, str] = Field(default_factory=dict)  # a host table of the operator's
    upstream_ca: Path | None = None  # trust for the servers beyond the gate, beside the system's
    proxy: Annotated[str, AfterValidator(_proxy)] = ""  # by which the gate reaches the world: http://proxy.example:3128
    gate: Path | None = None  # where a gate of images/egress waits for this server; nothing: it starts one of its own

    connections: Annotated[int, Field(ge=1, le=4096)] = 128  # of each session, at once
    tls_per_second: Annotated[float, Field(gt=0, le=1000)] = 30.0  # new ones of each session; a burst of 4 s is free
    upload_mb: Annotated[int, Field(ge=0)] = 0  # of each session in its life; 0: no limit
    download_mb: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _learns_only_what_is_public(self) -> "EgressSettings":
        if self.proxy and self.mode == "learn":
            raise ValueError(
                "mode = learn refuses only what is private, and a proxy does not say what is: leave one out"
            )
        return self

    @property
    def limits(self) -> Mapping[str, float]:
        """Of each session, as the gate takes them."""
        return {
            "connections": self.connections,
            "tls_per_second": self.tls_per_second,
            "tls_burst": max(1, round(4 * self.tls_per_second)),
            "upload_mb": self.upload_mb,
            "download_mb": self.download_mb,
            "held": self.held,
            "hold_s": self.hold_s,
        }

    @property
    def raw(self) -> tuple[str, ...]:
        """Entries whose bytes nobody reads."""
        return tuple(entry for entry in self.allow if isinstance(entry, str) and entry.startswith(RAW))

    @property
    def ports(self) -> tuple[int, ...]:
        """What sandboxes listen on, so that connections to names lead to the gate: those of the web and of the list."""
        names = [entry if isinstance(entry, str) else entry.host for entry in (*self.allow, *self.ask)]
        found = {int(port[1]) for name in names if (port := _PORT_OF_A_NAME.search(name))}
        return tuple(sorted({80, 443, *(found - _TAKEN)}))[:MOST_PORTS]
