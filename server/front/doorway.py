"""What every request over HTTP passes before anything else: the right host, a known page, not too many failures, a bound."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.front.patience import Body

LOCAL: Final = ("localhost", "127.0.0.1", "[::1]")
MOST_FAILURES: Final = 20  # of one address in WINDOW_S; then it waits
WINDOW_S: Final = 60.0
MOST_ADDRESSES: Final = 10_000  # that are remembered; the one heard of longest ago gives way

type Refused = Callable[[Mapping[str, Any]], None]  # a line of the audit


@dataclass(slots=True)
class _Failures:
    since: float
    count: int = 0


class Doorway:
    """ASGI middleware. `hosts` are names without ports; `origins` are whole (https://chat.example.com)."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: tuple[str, ...],
        origins: tuple[str, ...],
        refused: Refused,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app, self._refused, self._clock = app, refused, clock
        self._hosts = frozenset(host.lower() for host in (*LOCAL, *hosts))
        self._origins = frozenset(origins)
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, address = Headers(scope=scope), (scope.get("client") or ("", 0))[0]
        if objection := self._objection(headers, scope["scheme"]):
            await _answer(*objection)(scope, receive, send)
            return
        too_many = started = False
        body = Body(receive)

        async def watched(message: Message) -> None:
            """A good token is let in however many bad ones came from its address, which may be a proxy's."""
            nonlocal too_many, started
            started = True
            if message["type"] == "http.response.start" and message["status"] == HTTPStatus.UNAUTHORIZED:
                too_many = self._failed(address, scope["path"], "authorization" in headers)
                if too_many:
                    sentence = f"too many requests without a good token; try again in {WINDOW_S:.0f} s"
                    wait = {"retry-after": f"{WINDOW_S:.0f}"}
                    await _answer(HTTPStatus.TOO_MANY_REQUESTS, sentence, wait)(scope, receive, send)
            if not too_many:
                await send(message)

        with suppress(ClientDisconnect):
            await self._app(scope, body, watched)
        if body.late and not started:
            end = {"connection": "close"}
            await _answer(HTTPStatus.REQUEST_TIMEOUT, "the body took too long", end)(scope, receive, send)

    def _objection(self, headers: Headers, scheme: str) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if _name(host) not in self._hosts:
            return HTTPStatus.MISDIRECTED_REQUEST, "this server has another name; see http.hosts in its settings"
        origin = headers.get("origin")
        known = {f"{scheme}://{host}", *self._origins}  # its own pages, and those of the settings
        if origin is not None and origin not in known and not _is_local(origin):
            return HTTPStatus.FORBIDDEN, "this page may not call this server; see http.origins in its settings"
        return None

    def _failed(self, address: str, path: str, tried: bool) -> bool:  # noqa: FBT001 - ours alone
        """Count and record it; whether there were too many. What is beyond the bound is not recorded, only answered."""
        failures = self._of(address)
        failures.count += 1
        if failures.count > MOST_FAILURES:
            return True
        reason = "the token is not good" if tried else "there is no token"
        self._refused({"address": address, "path": path[:200], "reason": reason, "count": failures.count})
        return False

    def _of(self, address: str) -> _Failures:
        now, found = self._clock(), self._failures.pop(address, None)
        if found is None or now - found.since > WINDOW_S:
            found = _Failures(now)
        self._failures[address] = found
        while len(self._failures) > MOST_ADDRESSES:
            self._failures.popitem(last=False)
        return found


def origin_of(url: str) -> str:
    """As a browser names it: scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _answer(status: int, sentence: str, more: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": sentence}, status, headers=more)


def _name(host: str) -> str:
    """Without its port, in lower case."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower().rstrip(".")


def _is_local(origin: str) -> bool:
    scheme, found, rest = origin.partition("://")
    return bool(found) and scheme == "http" and _name(rest) in LOCAL
