"""What every place that lines of the audit are sent to is asked for, and the two forms in which they go."""

import json
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from server.record.ocsf import event
from server.record.trail import Line

PATIENCE_S: Final = 10.0  # of one wait; whoever sends has a thread of its own
_DENIED: Final = (".refused", ".recovered", ".export_dropped", ".unrecorded", ".weakened")

type Form = Callable[[Line], str]


class NotNow(Exception):
    """Nothing was taken, or nobody knows; the same lines are sent again later."""


@dataclass(frozen=True, slots=True)
class Lost:
    """How many of the lines will never be taken, and why."""

    lines: int = 0
    reason: str = ""


class Sink(Protocol):
    def send(self, lines: Sequence[Line]) -> Lost:
        """Raises NotNow."""

    def close(self) -> None: ...


def native(line: Line) -> str:
    """As it stands in the file: whoever keeps it has an anchor."""
    return line.raw.decode()


def ocsf(line: Line) -> str:
    return json.dumps(event(line, socket.gethostname()), separators=(",", ":"))


def is_bad(line: Line) -> bool:
    kind = str(line.document["kind"])
    return kind.endswith(_DENIED) or kind.startswith("anomaly.") or line.document.get("effect") == "deny"
