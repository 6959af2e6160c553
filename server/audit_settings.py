"""The settings of the audit: when its lines are on disk, how its files are kept, what they never hold, who is sent them."""

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from server.network_settings import Table


class AuditSettings(Table):
    fsync: Literal["always", "interval"] = "interval"
    rotate_mb: Annotated[int, Field(ge=0)] = 256
    rotate_days: Annotated[float, Field(ge=0)] = 0.0
    keep_files: Annotated[int, Field(ge=0)] = 0
    mask: tuple[str, ...] = ()
    head_every_s: Annotated[float, Field(ge=0)] = 3600.0

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
