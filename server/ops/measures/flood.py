"""One caller at full blast, in a process of its own and with the standard library alone: it takes little from what it floods.

Run as a module. Arguments: a port on loopback, a token, how many connections. It floods from a line on standard input to the
next, and answers each with a line: JSON with how many calls were `answered` and how many `refused` since the last.
"""

import asyncio
import json
import sys
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

ERA: Final = "2026-07-28"
CALL: Final = (
    "policy_check",
    {"command": "ls | grep x && rm -rf y; curl https://a.example"},
)  # judged, and nothing runs


class Wire:
    """A kept-alive connection of one caller."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str) -> None:
        self._reader, self._writer, self._token, self._last = reader, writer, token, 0

    @classmethod
    async def open(cls, port: int, token: str) -> "Wire":
        return cls(*await asyncio.open_connection("127.0.0.1", port), token)

    async def aclose(self) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def call(self, tool: str, arguments: dict[str, Any]) -> bool:
        """Whether it was answered; False where it was refused for its pace. Raises OSError for anything else."""
        self._last += 1
        about = {"protocolVersion": ERA, "clientCapabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
        params = {
            "name": tool,
            "arguments": arguments,
            "_meta": {f"io.modelcontextprotocol/{name}": value for name, value in about.items()},
        }
        body = json.dumps({"jsonrpc": "2.0", "id": self._last, "method": "tools/call", "params": params}).encode()
        head = (
            f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self._token}\r\n"
            f"Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
            f"MCP-Protocol-Version: {ERA}\r\nMcp-Method: tools/call\r\nMcp-Name: {tool}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        return self._judged(*await self._answer())

    async def _answer(self) -> tuple[int, bytes]:
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head.split(b" ", 2)[1])
        if b"transfer-encoding: chunked" not in head:
            size = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
            return status, await self._reader.readexactly(size)
        body = b""
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            body += (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readexactly(2)
        return status, body

    @staticmethod
    def _judged(status: int, body: bytes) -> bool:
        refused = status == HTTPStatus.TOO_MANY_REQUESTS or b"retry_after_s" in body
        if not refused and (status != HTTPStatus.OK or b'"isError":true' in body or b'"error"' in body):
            raise ConnectionError(f"a call was answered with {status}: {body[:300]!r}")
        return not refused


class Flood:
    """Connections are opened for each: a server closes those that rest."""

    def __init__(self, port: int, token: str, connections: int) -> None:
        self._port, self._token, self._connections = port, token, connections
        self._workers: list[asyncio.Future[None]] = []
        self._over = False
        self.told: dict[str, int] = {}

    async def begin(self) -> None:
        wires = [await Wire.open(self._port, self._token) for _ in range(self._connections)]
        self.told, self._over = {"answered": 0, "refused": 0}, False
        self._workers = [asyncio.ensure_future(self._work(wire)) for wire in wires]

    async def _work(self, wire: Wire) -> None:
        while not self._over:
            self.told["answered" if await wire.call(*CALL) else "refused"] += 1
        await wire.aclose()

    async def end(self) -> None:
        """Once every call that is on its way has its answer. Raises what any of them met."""
        self._over = True
        await asyncio.gather(*self._workers)


async def _main(flood: Flood) -> None:
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    flooding = False
    while await lines.readline():
        await (flood.end() if flooding else flood.begin())
        flooding = not flooding
        print(json.dumps(flood.told), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(Flood(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))
