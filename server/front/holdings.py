"""How much of the server one caller may hold: requests that are open, and sessions of the protocol that wait for more.

Without it whoever has a good token could take every connection, or every session that the SDK keeps, from all others.
"""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from mcp.server.streamable_http import MCP_SESSION_ID_HEADER
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.front.caller import told_apart_by

MOST_OPEN: Final = 256  # requests at once, streams among them; the server has 2,000 connections
MOST_SESSIONS: Final = 128  # of the older protocol, 40 KB each; the newer one has none
IDLE_S: Final = 1_800.0  # the SDK drops one that was not used for so long
MODERN: Final = "2026-07-28"


class Holdings:
    """ASGI middleware, behind authentication."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        most_open: int = MOST_OPEN,
        most_sessions: int = MOST_SESSIONS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app, self._most_open, self._most_sessions, self._clock = app, most_open, most_sessions, clock
        self._open = Counter[int]()
        self._sessions = dict[int, OrderedDict[str, float]]()  # of each caller: id -> last use, the oldest first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        who = told_apart_by(scope, headers)
        if who is None:
            await self._app(scope, receive, send)
            return
        caller = hash(who)
        if objection := self._objection(caller, scope, headers):
            more = {"retry-after": "30", "connection": "close"}  # one that rests is one that nobody else can have
            answer = JSONResponse({"error": objection}, HTTPStatus.TOO_MANY_REQUESTS, headers=more)
            await answer(scope, receive, send)
            return
        self._open[caller] += 1
        try:
            await self._app(scope, receive, self._noting(caller, scope, headers, send))
        finally:
            self._open[caller] -= 1
            if not self._open[caller]:
                del self._open[caller]

    def _objection(self, caller: int, scope: Scope, headers: Headers) -> str:
        if self._open[caller] >= self._most_open:
            return f"this caller has {self._most_open} requests open; end some first"
        opens = scope["method"] == "POST" and scope["path"] == "/mcp" and MCP_SESSION_ID_HEADER not in headers
        if opens and headers.get("mcp-protocol-version", "") < MODERN and self._held(caller) >= self._most_sessions:
            return f"this caller has {self._most_sessions} MCP sessions; end some (DELETE), or use protocol {MODERN}"
        return ""

    def _held(self, caller: int) -> int:
        """What the SDK has forgotten by itself is forgotten here as well."""
        sessions, oldest = self._sessions.get(caller, OrderedDict[str, float]()), self._clock() - IDLE_S
        while sessions and next(iter(sessions.values())) < oldest:
            sessions.popitem(last=False)
        if not sessions:
            self._sessions.pop(caller, None)
        return len(sessions)

    def _noting(self, caller: int, scope: Scope, headers: Headers, send: Send) -> Send:
        asked = headers.get(MCP_SESSION_ID_HEADER)

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                told = Headers(raw=message.get("headers", [])).get(MCP_SESSION_ID_HEADER)
                good = message["status"] < HTTPStatus.BAD_REQUEST
                if asked and (message["status"] == HTTPStatus.NOT_FOUND or (scope["method"] == "DELETE" and good)):
                    self._sessions.get(caller, OrderedDict[str, float]()).pop(asked, None)
                elif good and (session := told or asked):
                    self._used(caller, session, new=asked is None)
            await send(message)

        return noting

    def _used(self, caller: int, session: str, *, new: bool) -> None:
        sessions = self._sessions.setdefault(caller, OrderedDict()) if new else self._sessions.get(caller)
        if sessions is not None and (new or session in sessions):
            sessions[session] = self._clock()
            sessions.move_to_end(session)
