"""Files of a session over plain HTTP: GET and PUT /files/SESSION/PATH, judged and audited as file_read and file_write.

For whoever holds a token and would rather not carry bytes through a model. A download is streamed piece by piece from the
one handle that was judged. An upload is held until it is whole, within bounds, for it is written at once or not at all.
"""

import errno
import logging
import posixpath
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import anyio
from mcp import MCPError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from policy.verdict import Denied, Permit
from server.asks import Caller, FileAsk
from server.front.caller import NoCaller
from server.front.errors import told
from server.front.front import Front
from server.front.parameters import LONGEST_PATH
from server.front.results import refusal
from server.front.sendable import sendable
from server.sandbox.files import write
from server.sandbox.sandbox import MIB, FileRefused, Found
from server.sandbox.session import Session
from server.sandbox.sessions import NoSuchSession
from server.settings.http import HttpSettings

PIECE: Final = 4 * MIB  # asked of the sandbox at once
STALL_S: Final = 30.0  # without a byte in either direction
MOST_AT_ONCE: Final = 2  # uploads of one caller
MOST_HELD: Final = 256 * MIB  # of all uploads together
MODES: Final = ("overwrite", "create", "append")

log = logging.getLogger("sandgate")

# A browser that is led here saves a file; it neither shows one nor runs one.
SAFE: Final[Mapping[str, str]] = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


class _NotNow(Exception):
    """An answer other than the file: a status and a sentence."""

    def __init__(self, status: HTTPStatus, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status, self.headers = status, headers


@dataclass(slots=True)
class _Uploads:
    """What is held of bodies that are not whole yet."""

    held: int = 0
    of_caller: Counter[str] = field(default_factory=Counter[str])

    @asynccontextmanager
    async def one(self, caller: Caller) -> AsyncGenerator[bytearray]:
        if self.of_caller[caller.id] >= MOST_AT_ONCE:
            raise _NotNow(
                HTTPStatus.TOO_MANY_REQUESTS, f"{MOST_AT_ONCE} uploads of yours are on their way", {"retry-after": "5"}
            )
        self.of_caller[caller.id] += 1
        body = bytearray()
        try:
            yield body
        finally:
            self.held -= len(body)
            self.of_caller -= Counter({caller.id: 1})

    def more(self, body: bytearray, chunk: bytes) -> None:
        if self.held + len(chunk) > MOST_HELD:
            raise _NotNow(HTTPStatus.SERVICE_UNAVAILABLE, "too many uploads at once", {"retry-after": "5"})
        self.held += len(chunk)
        body += chunk


@dataclass(frozen=True, slots=True)
class FileRoutes:
    """An ASGI app below /files/."""

    front: Front
    http: HttpSettings
    uploads: _Uploads = field(default_factory=_Uploads)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, started = Request(scope, receive), False

        async def noted(message: Any) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            answer = await (self._put(request) if request.method == "PUT" else self._get(request, noted))
        except ClientDisconnect:
            return
        except Exception as exc:  # noqa: BLE001 - told apart there, and raised on where it is no answer
            if started:  # then no other answer can be given: the connection is closed, short of its length
                log.warning("a download was cut short: %s", str(exc) or type(exc).__name__)
                return
            answer = _answer(exc)
        if answer is not None:
            await answer(scope, receive, send)

    async def _get(self, request: Request, send: Send) -> None:
        caller, session, path = self._about(request)
        limit = self.http.download_mb * MIB

        async def act(used: Session, permit: Permit, found: Found) -> None:
            offset, size, name = 0, 1, posixpath.basename(found.real)
            while offset < size:
                piece = await used.sandbox.read(permit, found, PIECE, offset=offset, keep=True)
                if not offset:
                    size = piece.size
                    if size > limit:
                        raise _NotNow(
                            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                            f"the file has {size} bytes, and {limit} may be fetched",
                        )
                    await _send(send, {"type": "http.response.start", "status": 200, "headers": _head(name, size)})
                if request.method == "HEAD":
                    await _send(send, {"type": "http.response.body"})
                    return
                data = piece.data[: size - offset]
                if (size and not data) or await request.is_disconnected():
                    raise FileRefused("it was cut short meanwhile")
                offset += len(data)
                await _send(send, {"type": "http.response.body", "body": data, "more_body": offset < size})

        asked = {"path": path, "session": session, "by": "http"}
        await self.front.gateway.use_file(
            caller, FileAsk("file_read", self.front.target(session), "read", path, asked, act)
        )

    async def _put(self, request: Request) -> Response:
        caller, session, path = self._about(request)
        mode = request.query_params.get("mode", "overwrite")
        if mode not in MODES:
            raise _NotNow(HTTPStatus.BAD_REQUEST, f"mode is one of {', '.join(MODES)}")
        async with self.uploads.one(caller) as body:
            await self._receive(request, body)
            content = bytes(body)
            digest = sha256(content).hexdigest()
            asked = {
                "path": path,
                "session": session,
                "mode": mode,
                "bytes": len(content),
                "sha256": digest,
                "by": "http",
            }
            ask = FileAsk(
                "file_write",
                self.front.target(session),
                "write",
                path,
                asked,
                lambda used, permit, found: write(used.sandbox, permit, found, content, mode),  # type: ignore[arg-type]  # one of MODES
                shows=content.decode("utf-8", "replace") if len(content) <= MIB else f"sha256 {digest}",
            )
            written = await self.front.gateway.use_file(caller, ask)
        status = HTTPStatus.CREATED if written.created else HTTPStatus.OK
        return _json(status, {"path": written.path, "size": written.size})

    async def _receive(self, request: Request, body: bytearray) -> None:
        """The whole body. It is never longer than the limit in memory, whatever the client says of its length."""
        limit = self.http.upload_mb * MIB
        too_large = _NotNow(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"{limit} bytes can be written at once; add with ?mode=append"
        )
        if int(request.headers.get("content-length", "0")) > limit:
            raise too_large
        stream = request.stream().__aiter__()
        while True:
            try:
                with anyio.fail_after(STALL_S):
                    chunk = await anext(stream, None)
            except TimeoutError as exc:
                raise _NotNow(HTTPStatus.REQUEST_TIMEOUT, f"nothing came for {STALL_S:.0f} s") from exc
            if chunk is None:
                return
            if len(body) + len(chunk) > limit:
                raise too_large
            self.uploads.more(body, chunk)

    def _about(self, request: Request) -> tuple[Caller, str, str]:
        """Whose, and which file of which session. To ask makes no session."""
        caller = self.front.caller
        session, path = request.path_params["session"], request.path_params["path"]
        if not path or len(path) > LONGEST_PATH or "\0" in path:
            raise _NotNow(
                HTTPStatus.BAD_REQUEST, "name a file: /files/SESSION/PATH, or /files/SESSION//PATH from the root"
            )
        self.front.gateway.sessions.find(caller.id, session)
        return caller, session, path


def file_routes(front: Front, http: HttpSettings) -> Route:
    return Route("/files/{session}/{path:path}", FileRoutes(front, http), methods=["GET", "PUT"])


async def _send(send: Send, message: Mapping[str, Any]) -> None:
    """Whoever takes nothing for so long has gone."""
    with anyio.fail_after(STALL_S):
        await send(dict(message))


def _head(name: str, size: int) -> list[tuple[bytes, bytes]]:
    headers = {
        **SAFE,
        "content-disposition": f"attachment; filename*=UTF-8''{quote(name, safe='', errors='replace')}",
        "content-length": str(size),
        "content-type": "application/octet-stream",
    }
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def _answer(error: Exception) -> Response:
    """Raises what is no answer."""
    match error:
        case NoCaller():
            return _said(HTTPStatus.UNAUTHORIZED, str(error), {"www-authenticate": "Bearer"})
        case NoSuchSession():
            return _said(HTTPStatus.NOT_FOUND, str(error))
        case _NotNow():
            return _said(error.status, str(error), error.headers)
        case Denied():
            said = refusal(error)
            text = getattr(said.content[0], "text", "")
            return _json(HTTPStatus.FORBIDDEN, {"error": text, **(said.structured_content or {})})
        case FileRefused():
            return _said(STATUSES.get(error.number, HTTPStatus.CONFLICT), str(error))
        case _:
            return _failed(error)


STATUSES: Final = {
    errno.ENOENT: HTTPStatus.NOT_FOUND,
    errno.ENOTDIR: HTTPStatus.NOT_FOUND,
    errno.EACCES: HTTPStatus.FORBIDDEN,
    errno.ENOSPC: HTTPStatus.INSUFFICIENT_STORAGE,
}


def _failed(error: Exception) -> Response:
    try:
        said = told(error).content[0]
    except MCPError as exc:
        after = exc.error.data["retry_after_s"] if isinstance(exc.error.data, dict) else 1
        return _said(HTTPStatus.TOO_MANY_REQUESTS, exc.error.message, {"retry-after": f"{max(1, round(after))}"})
    return _said(HTTPStatus.SERVICE_UNAVAILABLE, getattr(said, "text", ""))


def _said(status: HTTPStatus, sentence: str, headers: Mapping[str, str] | None = None) -> Response:
    return _json(status, {"error": sentence}, headers)


def _json(status: HTTPStatus, content: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse(sendable(dict(content)), status, headers={**SAFE, **(headers or {})})
