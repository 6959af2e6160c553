"""The limits of calls as the settings say them."""

from server.judge.limits import Limits, Line, Pace
from server.limit_settings import LimitSettings, ToolLimits
from server.note import Note


def limits_for(settings: LimitSettings, note: Note) -> Limits:
    line = Line(settings.all_concurrent, settings.queued, settings.queue_s)
    return Limits(_pace(settings), line, {name: _pace(tool) for name, tool in settings.tools.items()}, note)


def _pace(told: LimitSettings | ToolLimits) -> Pace:
    return Pace(told.calls_per_second, told.burst, told.concurrent)
