"""The same tools over HTTP: one Starlette app with /mcp (streamable HTTP) and /sse, for callers with a token."""

import logging
import signal
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Generator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import anyio
import uvicorn
from anyio.abc import TaskGroup
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import AnyHttpUrl
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from server.app import App, open_app
from server.front.bearers import Bearers
from server.front.caller import request_caller
from server.front.doorway import LOCAL, Doorway, origin_of
from server.front.ending import Requests
from server.front.file_routes import file_routes
from server.front.holdings import Holdings
from server.front.issuer_keys import IssuerKeys
from server.front.listening import bound, port_of
from server.front.mcp_server import Kind, build, front_of
from server.front.pacing import Pacing
from server.front.page.made import page_of
from server.front.patience import PatientProtocol
from server.front.scraping import metrics_route
from server.front.strangers import Strangers
from server.front.taken_away import WhileGood
from server.sandbox.sandbox import MIB
from server.settings.files import Source
from server.settings.http import HttpSettings
from server.settings.settings import BadSettings, Settings
from server.watching import watch

GRACE_S: Final = 5  # for calls that run when the server is told to end
LEAVE_S: Final = 2  # for their clients to have read so
HEAD_BYTES: Final = 64 * 1024
MOST_CONNECTIONS: Final = 2_000
KEPT_ALIVE_S: Final = 30

log = logging.getLogger("sandgate")


class NobodyMayCall(Exception):
    """The settings know no caller, so a server would answer nobody."""


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


type Adding = Callable[[MCPServer[Any]], None]
type Making = Callable[[App, Bearers, Address], ASGIApp]


def nothing_more(_: MCPServer[Any]) -> None:
    """What we add to our tools: nothing. The conformance suite's fixtures are added in its tests alone."""


async def serve_http(settings: Settings, source: Source, address: Address, make: Making | None = None) -> None:
    """Serve until a signal comes; then running calls have GRACE_S, and nothing is left.

    Raises NobodyMayCall, BadSettings, CannotListen.
    """
    http = settings.http
    check_certificate(http)
    if not http.tokens and http.jwt is None:
        raise NobodyMayCall("nobody may call: make a token with `sandgate token new NAME`, or set [http.jwt]")
    bearers = Bearers(http, IssuerKeys, lambda: datetime.now(UTC).date())
    with bound(address.host, address.port) as sockets:
        address = Address(address.host, port_of(sockets))
        await _serve(settings, source, address, bearers, make or application, sockets)


async def _serve(
    settings: Settings, source: Source, address: Address, bearers: Bearers, make: Making, sockets: list[socket.socket]
) -> None:
    http = settings.http
    with ExitStack() as held:
        async with open_app(settings, source) as app, anyio.create_task_group() as tasks:
            requests = Requests(make(app, bearers, address))
            server = OurUvicorn(configured(requests, http, address))
            # Until all is put away: who presses Ctrl-C again, or stops it twice, would leave what it holds lying.
            signals = held.enter_context(anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
            tasks.start_soon(_obey, signals, app, server, partial(requests.end, app.running, GRACE_S), tasks)
            tasks.start_soon(watch, lambda: source.files, lambda: bearers.replace(source.read().http), source.at_first)
            log.warning("serving MCP at %s/mcp and %s/sse, and a page for people at %s/", *[_url(http, address)] * 3)
            await server.serve(sockets)
            tasks.cancel_scope.cancel()


def application(app: App, bearers: Bearers, address: Address, add: Adding = nothing_more) -> Starlette:
    """Everything behind the doorway; only /healthz answers without a token."""
    http = app.settings.http
    front = front_of(app, Kind(request_caller, None))
    mcp = build(app, front, token_verifier=bearers, auth=_auth(http, address))
    add(mcp)
    unchecked = TransportSecuritySettings(enable_dns_rebinding_protection=False)  # the doorway has looked already
    streamable = mcp.streamable_http_app(transport_security=unchecked, max_request_body_size=http.body_mb * MIB)
    sse = mcp.sse_app(transport_security=unchecked)
    door = Middleware(
        Doorway, hosts=_names(http, address), origins=_pages(http), refused=partial(app.note, "auth.refused")
    )
    limits = app.settings.limits
    pace = Middleware(Pacing, per_s=limits.calls_per_second, patience_s=limits.queue_s)
    return Starlette(
        routes=[
            Route("/healthz", _healthy),
            metrics_route(app),
            *([file_routes(front, http)] if "files" in app.settings.tools else []),
            *streamable.routes,
            *_new(sse, streamable),
            Mount("/", page_of(app, bearers, _url(http, address))),
        ],
        middleware=[
            door,
            *streamable.user_middleware,
            Middleware(WhileGood, bearers=bearers),
            pace,
            Middleware(Holdings),
        ],
        lifespan=lambda _: _sessions_of(mcp),
    )


def _new(sse: Starlette, streamable: Starlette) -> list[Any]:
    """What both have, the metadata of the protected resource, is there once."""
    known = {getattr(route, "path", "") for route in streamable.routes}
    return [route for route in sse.routes if getattr(route, "path", "") not in known]


@asynccontextmanager
async def _sessions_of(mcp: MCPServer[Any]) -> AsyncGenerator[None]:
    async with mcp.session_manager.run():
        yield


async def _healthy(_: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})


def _auth(http: HttpSettings, address: Address) -> AuthSettings:
    """Audience and issuer are checked with the token; what is said here is for clients that look for the issuer."""
    ours = f"{_url(http, address)}/mcp"
    issuer = http.jwt.issuer if http.jwt else _url(http, address)
    return AuthSettings(
        issuer_url=AnyHttpUrl(issuer),
        resource_server_url=AnyHttpUrl(ours) if http.jwt else None,
        validate_token_resource=False,
    )


def _url(http: HttpSettings, address: Address) -> str:
    return (http.public_url or f"{'https' if http.tls_cert else 'http'}://{address}").rstrip("/")


def _names(http: HttpSettings, address: Address) -> tuple[str, ...]:
    public = urlsplit(http.public_url).hostname if http.public_url else None
    return (*http.hosts, *([public] if public else []), address.host)


def _pages(http: HttpSettings) -> tuple[str, ...]:
    return (*http.origins, *([origin_of(http.public_url)] if http.public_url else []))


def warnings(http: HttpSettings, address: Address) -> list[str]:
    """What a server at this address weakens."""
    found = []
    if address.host not in (*LOCAL, "::1") and http.tls_cert is None:
        found.append(
            f"plain http on {address}: tokens can be read on the way; set http.tls_cert, or stand behind a proxy."
        )
    return found


def configured(app: ASGIApp, http: HttpSettings, address: Address) -> uvicorn.Config:
    class OursAlone(PatientProtocol):
        strangers = Strangers(http.trusted_proxies)

    return uvicorn.Config(
        app,
        host=address.host,
        port=address.port,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S + LEAVE_S,
        timeout_keep_alive=KEPT_ALIVE_S,
        limit_concurrency=MOST_CONNECTIONS,
        h11_max_incomplete_event_size=HEAD_BYTES,
        http=OursAlone,
        ws="none",
        proxy_headers=bool(http.trusted_proxies),
        forwarded_allow_ips=list(http.trusted_proxies),
        ssl_certfile=_text(http.tls_cert),
        ssl_keyfile=_text(http.tls_key),
    )


def check_certificate(http: HttpSettings) -> None:
    """Before anything is made: uvicorn would find it only once all else runs. Raises BadSettings."""
    if http.tls_cert is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(http.tls_cert, http.tls_key)
    except (OSError, ssl.SSLError) as exc:
        names = f"{http.tls_cert} and {http.tls_key or 'the key that should be in it'}"
        raise BadSettings(
            f"http.tls_cert and http.tls_key: {names} are no certificate (PEM) and the key to it that we may read: {exc}"
        ) from exc


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


class OurUvicorn(uvicorn.Server):
    """Signals are ours: uvicorn would raise them again once it has ended, before the sandboxes have."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def _obey(
    signals: AsyncIterable[signal.Signals],
    app: App,
    server: uvicorn.Server,
    end_requests: Callable[[], Coroutine[Any, Any, None]],
    tasks: TaskGroup,
) -> None:
    async for number in signals:
        if number == signal.SIGHUP:
            app.reload()
        elif server.should_exit:
            server.force_exit = True
        else:
            app.page.is_over = True
            server.should_exit = True
            tasks.start_soon(end_requests)
