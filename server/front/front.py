"""What every tool stands on: the gateway, for whom, and how results are shaped."""

from dataclasses import dataclass

from server.call import Caller, Gateway, Target
from server.front.results import Shape
from server.sandbox.snapshots import Snapshots


@dataclass(frozen=True, slots=True)
class Front:
    """One kind of caller at one gateway."""

    gateway: Gateway
    caller: Caller
    environment: str
    shape: Shape
    snapshots: Snapshots
    default_session: str = "default"

    def target(self, session: str | None) -> Target:
        return Target(session or self.default_session, self.environment)
