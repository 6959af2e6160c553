"""The settings of one secret: where its value is, and to which host alone it goes."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from server.settings.egress import RAW, HostEntry
from server.settings.table import Table

# What sandboxes find their programs, their gate and their trust by: no secret takes its place.
RESERVED = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|TERM|SHELL|LD_.*|.*_PROXY|.*_proxy|SSL_.*|.*_CA_BUNDLE|.*_CA_CERTS|PIP_CERT|GIT_SSL_.*"
    r"|CARGO_HTTP_CAINFO|DENO_CERT|GRPC_DEFAULT_SSL_ROOTS_FILE_PATH|NIX_SSL_CERT_FILE|JAVA_TOOL_OPTIONS"
)


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
    roles: tuple[str, ...] = ()  # whose callers' sandboxes have it; nothing: everybody's
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
