"""What every tool stands on: the gateway, for whom, and how results are shaped."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from server.asks import Caller, Target
from server.call import Gateway
from server.front.results import Shape
from server.sandbox.copies import Copying
from server.sandbox.sessions import NoSuchSession
from server.sandbox.snapshots import Snapshots


@dataclass(frozen=True, slots=True)
class Front:
    """One kind of caller at one gateway."""

    gateway: Gateway
    identity: Callable[[], Caller]
    environment: str
    shape: Shape
    snapshots: Snapshots
    default_session: str | None = "default"  # none over HTTP, where one token may stand for many agents
    copying: Callable[[], Copying | None] | None = None  # how far a folder is on its way into a session, where some are

    @property
    def caller(self) -> Caller:
        """Whoever makes the call that is being answered."""
        return self.identity()

    @property
    def person_at_client(self) -> bool:
        """Whether a form in the client is answered by somebody who may: a token's holder never answers its own question."""
        return self.default_session is not None or self.caller.answers

    def target(self, session: str | None) -> Target:
        """The session named, the default one, or a fresh one under a name that nobody can guess."""
        return Target(session or self.default_session or f"s-{secrets.token_hex(8)}", self.environment)

    def existing(self, session: str | None) -> Target:
        """The same for what needs a session that is there. Raises NoSuchSession."""
        if not session and self.default_session is None:
            raise NoSuchSession("name the session; session_list shows yours")
        return self.target(session)
