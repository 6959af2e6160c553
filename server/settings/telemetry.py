"""The settings of what an operator's own programs see of a server: its spans and its log."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from server.settings.table import Table


class TelemetrySettings(Table):
    traces: Annotated[str, Field(pattern=r"^https?://[^\s]+$")] | None = (
        None  # OTLP over HTTP: http://host:4318/v1/traces
    )
    traces_ca: Path | None = None  # whom to trust there, instead of the system's authorities
    log: Literal["text", "json"] = "text"  # on stderr
