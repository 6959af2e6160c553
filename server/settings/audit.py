"""The settings of the audit: when its lines are on disk, how its files are kept, what they never hold, who is sent them."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from server.in_clear import in_clear
from server.settings.table import Table

SCHEMES: Final[Mapping[str, tuple[str, ...]]] = {
    "syslog": ("unix", "udp", "tcp", "tls"),
    "https": ("https", "http"),
    "otlp": ("https", "http"),
}
EXAMPLES: Final = {
    "syslog": "unix:///dev/log, udp://HOST:514, tcp://HOST:601 or tls://HOST:6514",
    "https": "https://HOST/PATH",
    "otlp": "https://HOST:4318/v1/logs",
}


class ExportSettings(Table):
    """[[audit.export]]: to whom lines are sent as well, each once at least, from when this was first set."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,49}$")]
    kind: Literal["syslog", "https", "otlp"]
    url: str
    format: Literal["native", "ocsf"] = "native"
    token_file: Path | None = None  # sent as a bearer token
    ca: Path | None = None  # whom to trust there, instead of the system's authorities
    backlog_mb: Annotated[int, Field(ge=1)] = 64  # of more that waits, the older half is passed over, and that is said

    @model_validator(mode="after")
    def _is_fit(self) -> "ExportSettings":
        try:
            url = urlsplit(self.url)
            where = url.path if url.scheme == "unix" else url.hostname
            fit = bool(where) and (self.kind != "syslog" or url.scheme == "unix" or url.port is not None)
        except ValueError:
            fit = False
        if not fit or url.scheme not in SCHEMES[self.kind]:
            raise ValueError(f"{self.url!r} is no address for {self.kind}: write {EXAMPLES[self.kind]}")
        if in_clear(self.url):
            raise ValueError(f"{self.url} is plain http beyond this machine: everybody on the way could read the audit")
        if self.kind == "syslog" and self.token_file is not None:
            raise ValueError("syslog has no place for a token")
        return self


class AuditSettings(Table):
    fsync: Literal["always", "interval"] = "interval"
    rotate_mb: Annotated[int, Field(ge=0)] = 256
    rotate_days: Annotated[float, Field(ge=0)] = 0.0
    keep_files: Annotated[int, Field(ge=0)] = 0
    mask: tuple[str, ...] = ()
    head_every_s: Annotated[float, Field(ge=0)] = 3600.0
    export: tuple[ExportSettings, ...] = ()

    @field_validator("export")
    @classmethod
    def _apart(cls, exports: tuple[ExportSettings, ...]) -> tuple[ExportSettings, ...]:
        names = [export.name for export in exports]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two exports have the name {name}")
        return exports

    @field_validator("mask")
    @classmethod
    def _are_patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                found = re.compile(pattern).search("")
            except re.error as exc:
                raise ValueError(f"{pattern!r} is not a regular expression: {exc}") from exc
            if found:
                raise ValueError(f"{pattern!r} matches nothing at all, and so would mask everything")
        return patterns
