"""How long a client may take to say what it wants: uvicorn waits for ever for a request's head, and for a body.

Otherwise some thousand connections that say nothing, which need no token, would be all that a server has; until their time
is over, Strangers sees to that.
"""

import asyncio
from typing import Any, Final

import anyio
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.types import Message, Receive
from uvicorn.protocols.http.h11_impl import H11Protocol

from server.front.strangers import Strangers

HEAD_S: Final = 15.0  # from the first byte, or the connection, to a whole head
BODY_S: Final = 120.0  # for a whole body


class PatientProtocol(H11Protocol):
    """A connection whose next request does not come whole in time is closed; one that runs, or rests, is not touched.

    What is still sent of a body after its answer counts as the next request: a refusal does not wait for what it refused.
    """

    head_s = HEAD_S
    strangers: Strangers  # those of its server
    _late: asyncio.TimerHandle | None = None
    _was_known = False

    @property
    def is_known(self) -> bool:
        """Whether a good token came over it, with this request or one before."""
        self._was_known |= isinstance((self.scope or {}).get("user"), AuthenticatedUser)
        return self._was_known

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._late = self.loop.call_later(self.head_s, self.close)
        self.strangers.enter(self, self.client[0] if self.client else "")

    def data_received(self, data: bytes) -> None:
        if self.is_known:  # looked at before the next request takes the place of this one
            self.strangers.leave(self)
        super().data_received(data)
        cycle: Any = self.cycle  # None before the first request
        if cycle is not None and not cycle.response_complete:
            self._in_time()
        elif self._late is None:
            self._late = self.loop.call_later(self.head_s, self.close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_time()
        self.strangers.leave(self)
        super().connection_lost(exc)

    def _in_time(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def close(self) -> None:
        """It counts no more from now on; the loop tells of its end a little later, and accepts many meanwhile."""
        self.connections.discard(self)
        self.transport.close()


class Body:
    """A request's body as an ASGI app receives it. Where it is not whole in time, its sender counts as gone."""

    def __init__(self, receive: Receive, patience_s: float = BODY_S) -> None:
        self._receive, self._patience_s = receive, patience_s
        self._ends: float | None = None
        self._whole = False
        self.late = False

    async def __call__(self) -> Message:
        if self._whole:  # what comes now is only whether the client is still there
            return await self._receive()
        if self._ends is None:
            self._ends = anyio.current_time() + self._patience_s
        message: dict[str, Any] = {"type": "http.disconnect"}
        with anyio.CancelScope(deadline=self._ends) as scope:
            message = dict(await self._receive())
        self.late = scope.cancelled_caught
        self._whole = self.late or not message.get("more_body", False)
        return message
