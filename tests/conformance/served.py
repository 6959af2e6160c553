"""Our HTTP server as it is, with the suite's fixtures added: argv is a port and `bare` or `fixtures`.

The suite cannot send a token, so one is put into its requests here, on the way to our own doorway and verifier.
"""

import sys
from typing import Any

import anyio
from mcp.server import MCPServer
from starlette.types import ASGIApp, Receive, Scope, Send

from server.app import App
from server.front.bearers import Bearers
from server.front.http import Address, application, nothing_more, serve_http
from server.settings.files import Source
from tests.conformance import contents, rounds, sources
from tests.end_to_end.http_rig import ANN


def fixtures(mcp: MCPServer[Any]) -> None:
    for each in (contents, rounds, sources):
        each.add(mcp)


class WithToken:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "headers": [*scope["headers"], (b"authorization", f"Bearer {ANN}".encode())]}
        await self._app(scope, receive, send)


def main(port: str, kind: str) -> None:
    source = Source(None, {})
    add = {"bare": nothing_more, "fixtures": fixtures}[kind]

    def make(app: App, bearers: Bearers, address: Address) -> ASGIApp:
        return WithToken(application(app, bearers, address, add))

    anyio.run(serve_http, source.read(), source, Address("127.0.0.1", int(port)), make)


if __name__ == "__main__":
    main(*sys.argv[1:])
