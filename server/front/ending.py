"""How requests end where their server does: calls within a bound, and what clients hold open only to listen before that."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

import anyio
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LISTENED: Final = frozenset(
    {"/mcp", "/sse"}
)  # GET: a stream of what the server has to say, for as long as both are there
ANSWERED_S: Final = 0.2  # from the end of the last call until what it answers is on its way
LOOK_AGAIN_S: Final = 0.05


class Requests:
    """ASGI, around everything else. A client that only listens is told that it is over, not cut off."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open: dict[anyio.CancelScope, bool] = {}  # whether it only listens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = complete = False

        async def noted(message: Message) -> None:
            nonlocal started, complete
            started = True
            complete = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        with anyio.CancelScope() as request:
            self._open[request] = scope["method"] == "GET" and scope["path"] in LISTENED
            try:
                await self._app(scope, receive, noted)
            finally:
                del self._open[request]
        if not request.cancelled_caught or complete:
            return
        if started:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            ended = JSONResponse({"error": "the server ends; try again in a moment"}, HTTPStatus.SERVICE_UNAVAILABLE)
            await ended(scope, receive, send)

    async def end(self, running: Callable[[], int], grace_s: float) -> None:
        """Calls that run have `grace_s`; who only listens is let go of as soon as none does.

        running: how many, over all transports; on /sse one is answered on a stream that else only listens.
        """
        with anyio.move_on_after(grace_s):
            while running():  # noqa: ASYNC110 - no event says that nothing runs
                await anyio.sleep(LOOK_AGAIN_S)
            await anyio.sleep(ANSWERED_S)
            self._let_go(only_listeners=True)
            await anyio.sleep_forever()
        self._let_go(only_listeners=False)

    def _let_go(self, *, only_listeners: bool) -> None:
        for request, listens in list(self._open.items()):
            if listens or not only_listeners:
                request.cancel()
