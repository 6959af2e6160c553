"""The settings of how often and how much a caller may."""

from typing import Annotated

from pydantic import Field

from server.settings.table import Table


class ToolLimits(Table):
    """[limits.tools.NAME]: of one tool of one caller, beside what holds for all of its calls."""

    calls_per_second: Annotated[float, Field(gt=0)] = 50.0
    burst: Annotated[int, Field(ge=1)] = 200
    concurrent: Annotated[int, Field(ge=1)] = 64


class LimitSettings(ToolLimits):
    """[limits]: the same of all calls of one caller, and what else is bounded; of one caller, where nothing else is said."""

    queued: Annotated[int, Field(ge=0, le=10_000)] = 64  # calls that wait for their turn, behind the caller's own
    queue_s: Annotated[float, Field(ge=0, le=60)] = 5.0  # and for how long
    all_concurrent: Annotated[int, Field(ge=1)] = 256  # calls of all callers together
    tools: dict[str, ToolLimits] = Field(default_factory=dict)
    sessions: Annotated[int, Field(ge=1)] = 100  # awake, of all callers together
    sessions_each: Annotated[int, Field(ge=1)] = 100  # of one caller
    parked: Annotated[int, Field(ge=1)] = 50  # of one caller; the one that was not used for longest ends
    output_mb: Annotated[int, Field(ge=64)] = 4096  # of what one caller's commands wrote; the oldest gives way
    snapshots: Annotated[int, Field(ge=1, le=1000)] = 20  # of one caller; the oldest gives way
    snapshots_mb: Annotated[int, Field(ge=64)] = 16384  # all of one caller's together, beside what their images share
