"""Flows that are told together: a session may make thousands a second, and a line for each would fill a disk in hours."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

TOLD_EVERY_S = 10.0
MOST_ALIKE = 20  # lines at a time; whatever is beyond them is one more
_SAME = (
    "event",
    "decisions",
    "attribution",
    "host",
    "port",
    "scheme",
    "status",
    "rule",
    "secrets",
    "learnt",
    "failed",
    "uninterpreted",
)
_SUMMED = ("bytes_up", "bytes_down", "told_up", "duration_ms")

type Event = Mapping[str, Any]


@dataclass
class Folded:
    """Of one session. `tell` has a line for each host, port, status and so on, with the sums of all flows that were alike."""

    tell: Callable[[Event], None]
    _lines: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, event: Event) -> None:
        if not self._lines:
            asyncio.get_running_loop().call_later(TOLD_EVERY_S, self.flush)
        alike = {name: event[name] for name in _SAME if name in event}
        if repr(alike) not in self._lines and len(self._lines) >= MOST_ALIKE:
            alike = {
                "event": event["event"],
                "decisions": [],
                "attribution": "any_of",
                "host": "",
                "port": 0,
                "status": 0,
            }
        line = self._lines.setdefault(repr(alike), {"session": event["session"], **alike, "count": 0})
        line["count"] += 1
        for name in _SUMMED:
            if name in event:
                line[name] = line.get(name, 0) + event[name]

    def flush(self) -> None:
        """Tell of all that there is."""
        lines, self._lines = self._lines, {}
        for line in lines.values():
            self.tell(line)
