"""How long a client may take to say what it wants: uvicorn waits for ever for a request's head, and for a body.

Otherwise some thousand connections that say nothing, which need no token, would be all that a server has.
"""

import asyncio
from typing import Any, Final

import anyio
from starlette.types import Message, Receive
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S: Final = 15.0  # from the first byte, or the connection, to a whole head
BODY_S: Final = 120.0  # for a whole body


class PatientProtocol(H11Protocol):
    """A connection whose next request does not come whole in time is closed; one that runs, or rests, is not touched.

    What is still sent of a body after its answer counts as the next request: a refusal does not wait for what it refused.
    """

    head_s = HEAD_S
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._late = self.loop.call_later(self.head_s, self._close)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        cycle: Any = self.cycle  # None before the first request
        if cycle is not None and not cycle.response_complete:
            self._in_time()
        elif self._late is None:
            self._late = self.loop.call_later(self.head_s, self._close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_time()
        super().connection_lost(exc)

    def _in_time(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _close(self) -> None:
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
