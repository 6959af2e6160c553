"""The sessions behind the gate: who each listener belongs to, what it may reach, and what it has open."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from egress.allowlist import Allowlist
from egress.budget import Budget, Limits
from egress.destination import Destination
from egress.line import Line
from egress.lookups import Lookups
from egress.pressure import Total
from egress.refusal import TOO_MANY, Let, Refusal, Refused, refuse
from egress.swap import Placeholders
from egress.turns import Bite, Turns

MOST_UPSTREAMS = 256
MOST_FLIGHTS = 512  # requests at once; HTTP/2 puts a hundred on one connection, each with a head of up to 64 KiB
SMALLEST_PIECE = 60 * 1024  # with TLS around it still what one call of OpenSSL's gives out
LARGEST_PIECE = 256 * 1024  # what is done for each costs as much as to pass on half of that
PIECES_BYTES = 2 * 1024 * 1024
MOST_LET = 4096  # answers that are remembered; what is beyond them is asked each time

type Alike = tuple[Destination, str, str]  # with a method and a path

_NO_NAMES: tuple[str, ...] = ()


@dataclass(eq=False, slots=True)
class Session:
    """One sandbox's share of the gate. `allow` is None until the session is bound."""

    name: str
    learning: bool = False
    allow: Allowlist | None = None
    decisions: tuple[str, ...] = ()
    placeholders: Placeholders = field(default_factory=dict)
    budget: Budget = field(default_factory=lambda: Budget(Limits()))
    lookups: Lookups = field(default_factory=Lookups)
    bite: Bite = field(default_factory=Bite)
    turns: Turns = field(default_factory=Turns)  # shared by all sessions of a gate
    lines: set[Line] = field(default_factory=set)
    total: Total = field(init=False)
    holding: int = 0  # requests that wait for an answer of the server's
    let: set[Destination | Alike] = field(default_factory=set)  # what the server has said yes to, for more than once

    def __post_init__(self) -> None:
        self.total = Total(lambda: [line.pressure for line in self.lines])

    @property
    def allowed(self) -> tuple[str, ...]:
        return self.allow.texts if self.allow else _NO_NAMES

    @property
    def piece(self) -> int:
        """How much of a body is read at once: it is held where its reader is slow, on each of the session's lines."""
        fair = max(SMALLEST_PIECE, min(LARGEST_PIECE, PIECES_BYTES // max(len(self.lines), 1)))
        return min(fair, self.bite.size)

    def rule_of(self, destination: Destination, method: str, path: str) -> str:
        """The entry of the list that admits it, as the operator wrote it; empty where none does."""
        return self.allow.admitting(destination, method, path) if self.allow else ""

    def passes_raw(self, destination: Destination) -> bool:
        return self.allow is not None and self.allow.passes_raw(destination)

    def must_ask(self, destination: Destination, method: str, path: str) -> bool:
        """Whether the list alone does not let this request pass, and the server has to be asked."""
        allow = self._bound(destination)
        if self.learning or allow.why_not(destination, method, path) is None:
            return False
        return allow.asks_about(destination, method, path)

    def known(self, destination: Destination, method: str, path: str) -> Let:
        """How far the yes goes that the server has given to this before."""
        if destination in self.let:
            return "host"
        return "alike" if (destination, method, path) in self.let else ""

    def keep(self, let: Let, destination: Destination, method: str, path: str) -> None:
        if len(self.let) < MOST_LET and let in ("host", "alike"):
            self.let.add(destination if let == "host" else (destination, method, path))

    def admit(self, destination: Destination, method: str, path: str) -> bool:
        """Refused where this session may not make this request. False where it may only while we learn."""
        reason = self._bound(destination).why_not(destination, method, path)
        self.not_spent(destination)
        if reason is not None and not self.learning:
            raise refuse("egress.not_allowed", reason, destination.host, destination.port)
        return reason is None

    def has_room(self, destination: Destination) -> None:
        """Refused where too many requests of this session are under way."""
        if sum(len(line.flights) for line in self.lines) >= MOST_FLIGHTS:
            reason = f"This session has {MOST_FLIGHTS} requests under way; let some end first."
            raise Refused(Refusal("egress.limit", reason, destination.host, destination.port, TOO_MANY))

    def admit_dial(self, destination: Destination, *, let: bool = False) -> None:
        """Refused where this session may not open a connection there, or has too many open. let: for a request that the
        server let pass."""
        allow = self._bound(destination)
        self.not_spent(destination)
        if not (self.learning or let or allow.admits_port(destination)):
            raise refuse(
                "egress.not_allowed", f"{destination} is not allowed here.", destination.host, destination.port
            )
        if sum(len(line.upstreams) for line in self.lines) > MOST_UPSTREAMS:
            reason = f"This session has {MOST_UPSTREAMS} connections open; close some first."
            raise refuse("egress.limit", reason, destination.host, destination.port)

    def not_spent(self, destination: Destination) -> None:
        """Refused where it has no bytes left."""
        if (spent := self.budget.spent) is not None:
            raise refuse("egress.limit", spent, destination.host, destination.port)

    def _bound(self, destination: Destination) -> Allowlist:
        if self.allow is None:
            reason = "This session has no network policy yet, so nothing may leave it."
            raise refuse("egress.not_bound", reason, destination.host, destination.port)
        return self.allow

    def bind(self, allow: Allowlist) -> None:
        """From now on this list holds; what is under way to a host that it leaves out is cut, and what was let is forgotten."""
        self.allow = allow
        self.let.clear()
        for line in list(self.lines):
            if any(self._revoked(line, name) for name in list(line.flights)):
                line.abort()

    def cut(self, destination: Destination) -> None:
        """A yes for more than once is good no longer: what it let pass ends, on open connections too."""
        self.let = {each for each in self.let if (each[0] if isinstance(each, tuple) else each) != destination}
        for line in list(self.lines):
            flights = line.flights.values()
            if any(flight.destination == destination and flight.let not in ("", "once") for flight in flights):
                line.abort()

    def _revoked(self, line: Line, name: str) -> bool:
        flight = line.flights[name]
        if flight.let == "once" and not self.must_ask(flight.destination, flight.method, flight.path):
            flight.let = ""
        if flight.let:
            return flight.let != "once"
        if flight.raw:
            return self.allow is None or not self.allow.passes_raw(flight.destination)
        try:
            self.admit(flight.destination, flight.method, flight.path)
        except Refused:
            return True
        return False

    def hang_up(self) -> None:
        for line in list(self.lines):
            line.abort()


def most_lines(sessions: int, descriptors: int, wanted: int) -> int:
    """How many connections each of so many sessions may have, so that none takes a neighbour's share of descriptors."""
    return min(wanted, (descriptors - 256) // (2 * max(sessions, 1)))


def decision_ids(message: Mapping[str, Any]) -> tuple[str, ...]:
    ids: Iterable[Any] = message.get("decisions") or ()
    return tuple(str(one)[:100] for one in ids)[-50:]
