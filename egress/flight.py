"""One request on its way: what was let pass, and how much of it went by."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from egress.budget import Budget
from egress.cause import Cause
from egress.destination import Destination
from egress.journal import FlowFacts
from egress.refusal import Let

TOLD_EVERY = 16 * 1024 * 1024  # bytes sent; what goes on for hours would else be told of once it is over
ASKED = "egress.ask"  # in the place of an entry, where the server was asked


@dataclass(slots=True)
class Flight:
    """A request that was admitted. Its counters grow while bodies stream; path is without its query."""

    destination: Destination
    scheme: str
    method: str
    path: str
    cause: Cause
    secrets: tuple[str, ...] = ()  # the names of those that it carries
    budget: Budget | None = None
    overspent: Callable[[], None] | None = None  # what ends it when its session has no more bytes
    sending: Callable[["Flight"], None] | None = None  # what tells of it meanwhile
    rule: str = ""  # the entry of the list that admitted it
    address: str = ""  # what was dialled for it
    let: Let = ""  # where the list does not have it: how far the server's yes to it goes
    learnt: bool = False  # the list does not have it; it was let pass to find out
    started: float = field(default_factory=time.monotonic)
    bytes_up: int = 0
    told_up: int = 0  # of them, while it was on its way
    bytes_down: int = 0

    @property
    def raw(self) -> bool:
        """Bytes that nobody reads: of these, only how many there are is known."""
        return self.scheme == "tcp"

    def starts(self, size: int) -> None:
        """So much of its head is about to go out, unless the budget is spent with it: a head carries data as a body does."""
        self.bytes_up += size
        if self.budget is not None:
            self.budget.up(size)

    def up(self, data: bytes) -> bytes:
        self.bytes_up += len(data)
        if self.budget is not None and not self.budget.up(len(data)):
            self._over()
        if self.sending is not None and self.bytes_up - self.told_up >= TOLD_EVERY:
            self.sending(self)
            self.told_up = self.bytes_up
        return data

    def down(self, data: bytes) -> bytes:
        self.received(len(data))
        return data

    def received(self, size: int) -> None:
        self.bytes_down += size
        if self.budget is not None and not self.budget.down(size):
            self._over()

    def _over(self) -> None:
        if self.overspent is not None:
            self.overspent()

    def facts(self, status: int, failed: str = "") -> FlowFacts:
        """status: of the answer; 0 where there was none. failed: why its origin was not reached."""
        return FlowFacts(
            host=self.destination.host,
            port=self.destination.port,
            scheme=self.scheme,
            method=self.method,
            path=self.path,
            status=status,
            bytes_up=self.bytes_up,
            told_up=self.told_up,
            bytes_down=self.bytes_down,
            address=self.address,
            rule=self.rule or (ASKED if self.let else ""),
            secrets=self.secrets,
            learnt=self.learnt,
            failed=failed,
            duration_ms=round((time.monotonic() - self.started) * 1000),
        )
