"""A real server over HTTP on a port of its own, and clients with tokens."""

import os
import signal
import ssl
import subprocess
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from server.settings.http import digest
from tests.end_to_end.rig import PROGRAM, Home
from tests.free_port import free_port
from tests.waiting import PATIENCE_S, until

NOBODY = ssl.SSLContext(
    ssl.PROTOCOL_TLS_CLIENT
)  # is trusted by who asks over plain http: to read all authorities takes time
ANN, BOB = "sgt_ann-0123456789abcdef", "sgt_bob-0123456789abcdef"


def tokens(**known: str) -> str:
    return "".join(f'[[http.tokens]]\nname = "{name}"\nsha256 = "{digest(token)}"\n' for name, token in known.items())


@dataclass
class HttpServer:
    home: Home
    url: str
    process: subprocess.Popen[bytes]
    trust: ssl.SSLContext | None = None

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE_S)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(self.url + path, headers=headers, timeout=PATIENCE_S, verify=self.trust or NOBODY)

    def answers(self) -> bool:
        assert self.process.poll() is None, "the server ended"
        try:
            return self.get("/healthz").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


@contextmanager
def serving(home: Home, *more: str, trust: ssl.SSLContext | None = None) -> Generator[HttpServer]:
    """`trust`: whom to believe where it speaks TLS, on localhost."""
    program, *_ = home.argv

    def argv(port: int) -> list[str]:
        return [program, "serve", "--http", f"127.0.0.1:{port}", *home.arguments, *more]

    with serving_by(home, argv, trust) as made:
        yield made


@contextmanager
def serving_by(
    home: Home, argv: Callable[[int], list[str]], trust: ssl.SSLContext | None = None
) -> Generator[HttpServer]:
    """The same by any command, which is told its port."""
    home.write_settings()
    port = free_port()
    process = subprocess.Popen(argv(port), env=home.environ, stdin=subprocess.DEVNULL)
    url = f"https://localhost:{port}" if trust else f"http://127.0.0.1:{port}"
    server = HttpServer(home, url, process, trust)
    try:
        until(server.answers, "the server answers")
        yield server
    finally:
        if server.process.poll() is None:  # a test may have started it again
            server.end()


@asynccontextmanager
async def streamable(server: HttpServer, token: str, mode: str = "auto", **more: Any) -> AsyncGenerator[Client]:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx.AsyncClient(headers=headers, timeout=httpx.Timeout(30, read=300)) as http,
        Client(streamable_http_client(f"{server.url}/mcp", http_client=http), mode=mode, **more) as client,  # type: ignore[arg-type]  # a literal
    ):
        yield client


@asynccontextmanager
async def over_sse(server: HttpServer, token: str) -> AsyncGenerator[Client]:
    headers = {"Authorization": f"Bearer {token}"}
    async with Client(sse_client(f"{server.url}/sse", headers=headers)) as client:
        yield client


def cli(home: Home, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PROGRAM, *words], env=home.environ, capture_output=True, text=True, timeout=60, check=False)


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists() or os.waitpid(pid, os.WNOHANG)[0] == pid
