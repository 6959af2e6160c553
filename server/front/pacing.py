"""How fast the requests of one caller come in: a flood is spread before anything of it is read, so that another caller's
request finds the server at work on a few of them, not on all."""

import time
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

import anyio
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from server.front.caller import told_apart_by

AT_ONCE: Final = 16  # requests that come in as they are; an agent's own bursts are smaller
FASTER: Final = 2  # than calls are admitted: notifications and answers to the server are requests too
MOST_KNOWN: Final = 10_000  # callers; the one heard of longest ago is forgotten


class Pacing:
    """ASGI middleware. `per_s` requests of one caller; who would wait for longer than `patience_s` is told so (429).

    Behind authentication, which reads nothing but the head.
    """

    def __init__(
        self, app: ASGIApp, *, per_s: float, patience_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app, self._each_s, self._patience_s, self._clock = app, 1 / (per_s * FASTER), patience_s, clock
        self._due = OrderedDict[int, float]()  # when each caller's next would come at an even pace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            wait_s = self._wait_s(hash(told_apart_by(scope, Headers(scope=scope)) or (scope.get("client") or ("",))[0]))
            if wait_s > self._patience_s:
                sentence = f"you are calling faster than allowed; try again in {wait_s:.0f} s"
                answer = JSONResponse({"error": sentence}, HTTPStatus.TOO_MANY_REQUESTS)
                answer.headers["retry-after"] = f"{max(1, wait_s):.0f}"
                await answer(scope, receive, send)
                return
            if wait_s > 0:
                await anyio.sleep(wait_s)
        await self._app(scope, receive, send)

    def _wait_s(self, caller: int) -> float:
        now = self._clock()
        due = max(self._due.get(caller, now), now)
        wait_s = due - now - (AT_ONCE - 1) * self._each_s
        if wait_s <= self._patience_s:  # who is sent away has taken no turn
            self._due[caller] = due + self._each_s
        self._due.setdefault(caller, due)
        self._due.move_to_end(caller)
        while len(self._due) > MOST_KNOWN:
            self._due.popitem(last=False)
        return wait_s
