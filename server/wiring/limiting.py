"""The limits of calls as the settings say them."""

from server.judge.limits import Limits, Line, Pace
from server.note import Note
from server.settings.limits import LimitSettings, ToolLimits


def limits_for(settings: LimitSettings, note: Note) -> Limits:
    """note: a line of the audit for what is refused."""
    line = Line(settings.all_concurrent, settings.queued, settings.queue_s)
    return Limits(_pace(settings), line, {name: _pace(tool) for name, tool in settings.tools.items()}, note)


def _pace(told: ToolLimits) -> Pace:
    return Pace(told.calls_per_second, told.burst, told.concurrent)
