"""The settings of what leaves a sandbox: the list of hosts, and the secrets that go to some of them."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

# A name below at least one dot (`*` and `*.com` would be no list), or an address written out; a port where it is another.
HOST_ENTRY = re.compile(r"((\*\.)?[\w-]+(\.[\w-]+)+|\[[0-9a-fA-F:.]+\]|localhost)(:[1-9]\d{0,4})?")

# What sandboxes find their programs, their gate and their trust by: no secret takes its place.
RESERVED = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|TERM|SHELL|LD_.*|.*_PROXY|.*_proxy|SSL_.*|.*_CA_BUNDLE|.*_CA_CERTS|PIP_CERT|GIT_SSL_.*"
    r"|CARGO_HTTP_CAINFO|DENO_CERT|GRPC_DEFAULT_SSL_ROOTS_FILE_PATH|NIX_SSL_CERT_FILE|JAVA_TOOL_OPTIONS"
)


# `localhost:8000` and addresses need no listener: a program reaches them by HTTP_PROXY, or its own server there.
_PORT_OF_A_NAME = re.compile(r"(?<!localhost)(?<![\d.\]]):(\d+)$")
_TAKEN = frozenset({53, 3128})  # inside, of the resolver and of the proxy
MOST_PORTS = 64


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


RAW = "tcp://"  # an entry of this kind is passed unread


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


type AskEntry = Annotated[str, AfterValidator(_asked_host)]
type HostEntry = Annotated[str, AfterValidator(_entry_host)]


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
    gate: Path | None = None  # where a gate of images/egress waits for this server; nothing: it starts one of its own

    connections: Annotated[int, Field(ge=1, le=4096)] = 128  # of each session, at once
    tls_per_second: Annotated[float, Field(gt=0, le=1000)] = 30.0  # new ones of each session; a burst of 4 s is free
    upload_mb: Annotated[int, Field(ge=0)] = 0  # of each session in its life; 0: no limit
    download_mb: Annotated[int, Field(ge=0)] = 0

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


class SecretSettings(Table):
    """[[secret]]: a value that never enters a sandbox. There, `variable` holds a placeholder, which the gate swaps in the
    named headers of requests to that very host, port and paths, over TLS. Where the value is: env, file or command."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,49}$")]
    variable: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
    host: HostEntry  # exactly one, with its port where that is not 443
    paths: tuple[Annotated[str, Field(pattern=r"^/[^?#]*$")], ...] = ()  # globs; nothing: every path
    headers: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$")], ...], Field(min_length=1)
    ] = ("authorization",)
    # what the placeholder begins with, where a program looks for that
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,20}$")] = ""
    env: str | None = None  # a variable of the server's own
    file: Path | None = None
    command: tuple[str, ...] = ()  # a program and its arguments, which prints it
    refresh_s: Annotated[float, Field(ge=1)] = 300.0  # how long what a command printed is believed

    @property
    def authority(self) -> str:
        """Host and port."""
        host = self.host.lower()
        return host if re.search(r":\d+$", host) else f"{host}:443"

    @model_validator(mode="before")
    @classmethod
    def _not_in_clear(cls, told: Any) -> Any:
        if isinstance(told, Mapping) and "value" in told:
            raise ValueError("holds its value in clear; move it elsewhere, and say where: env, file or command")
        return told

    @model_validator(mode="after")
    def _one_place(self) -> "SecretSettings":
        if sum((self.env is not None, self.file is not None, bool(self.command))) != 1:
            raise ValueError("names not exactly one place for its value: env, file or command")
        if self.host.startswith(RAW):
            raise ValueError(f"is bound to {self.host}, which the gate does not read")
        if self.host.startswith("*."):
            raise ValueError(f"is bound to {self.host}, which is many hosts; name one")
        if self.host.endswith(":80"):
            raise ValueError(f"is bound to {self.host}, which is plain HTTP: everybody on the way could read it")
        if RESERVED.fullmatch(self.variable):
            raise ValueError(f"would replace the variable {self.variable}, which sandboxes need; choose another")
        return self
