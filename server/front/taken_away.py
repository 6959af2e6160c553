"""A token that is taken away ends what it is used for: streams, downloads, uploads that are on their way."""

from http import HTTPStatus
from typing import Any

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.front.bearers import Bearers


class WhileGood:
    """ASGI, behind the SDK's authentication, which looks at a token only when a request begins."""

    def __init__(self, app: ASGIApp, *, bearers: Bearers) -> None:
        self._app, self._bearers = app, bearers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        user: Any = scope.get("user")
        if not isinstance(user, AuthenticatedUser):
            await self._app(scope, receive, send)
            return
        started = False

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        with self._bearers.used(user.access_token) as use:
            await self._app(scope, receive, noted)
        if use.cancelled_caught and not started:  # else it stops short, and the connection is closed
            answer = JSONResponse(
                {"error": "the token is not good any more"},
                HTTPStatus.UNAUTHORIZED,
                headers={"www-authenticate": "Bearer"},
            )
            await answer(scope, receive, send)
