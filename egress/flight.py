"""One request on its way: what was let pass, and how much of it went by."""

import time
from dataclasses import dataclass, field

from egress.destination import Destination
from egress.journal import FlowFacts


@dataclass(slots=True)
class Flight:
    """A request that was admitted. Its counters grow while bodies stream; path is without its query."""

    destination: Destination
    scheme: str
    method: str
    path: str
    decisions: tuple[str, ...]
    secrets: tuple[str, ...] = ()  # the names of those that it carries
    started: float = field(default_factory=time.monotonic)
    bytes_up: int = 0
    bytes_down: int = 0

    @property
    def raw(self) -> bool:
        """Bytes that nobody reads: of these, only how many there are is known."""
        return self.scheme == "tcp"

    def up(self, data: bytes) -> bytes:
        self.bytes_up += len(data)
        return data

    def down(self, data: bytes) -> bytes:
        self.bytes_down += len(data)
        return data

    def facts(self, status: int) -> FlowFacts:
        """status: of the answer; 0 where there was none."""
        return FlowFacts(
            host=self.destination.host,
            port=self.destination.port,
            scheme=self.scheme,
            method=self.method,
            path=self.path,
            status=status,
            bytes_up=self.bytes_up,
            bytes_down=self.bytes_down,
            secrets=self.secrets,
            duration_ms=round((time.monotonic() - self.started) * 1000),
        )
