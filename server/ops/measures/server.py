"""A server of the bench's own, as a client starts it: state, settings and sockets in a folder that goes with it."""

import json
import os
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL  # noqa: TID251  # a constant; anyio starts it
from typing import Any, Final, TextIO

import anyio
from anyio.abc import Process
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.types import CallToolResult, TextContent

from server.record.reading import lines
from server.settings.settings import ENVIRON

LEGACY: Final = "2025-11-25"  # what most hosts speak
KEPT: Final = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")
# The bench calls as fast as it can, which no agent does and the defaults refuse.
UNHURRIED: Final = """
[limits]
calls_per_second = 100000
burst = 100000
concurrent = 256
sessions = 256
sessions_each = 256
snapshots = 1000
"""


class BenchFailed(Exception):
    """A call that is measured did not do what it should, so its time says nothing."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where a server lives: `engine` is the URL of its engine, `program` how `sandgate` is started."""

    folder: Path
    engine: str
    program: tuple[str, ...]

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def environ(self) -> dict[str, str]:
        kept = {name: ENVIRON[name] for name in KEPT if name in ENVIRON}
        return {
            **kept,
            "HOME": str(self.folder),
            "DOCKER_HOST": self.engine,
            "SANDGATE_STATE_DIR": str(self.state),
            "SANDGATE_RUNTIME_DIR": str(self.folder / "run"),
        }

    def parameters(self, settings: str = "") -> StdioServerParameters:
        config = self.folder / "bench.toml"
        config.write_text(settings + UNHURRIED)
        program, *arguments = self.program
        arguments += ["serve", "--stdio", "--config", str(config)]
        return StdioServerParameters(command=program, args=arguments, env=self.environ)

    def audited(self, kind: str) -> list[dict[str, Any]]:
        """Lines of that kind, oldest first."""
        file = self.state / "audit" / "audit.jsonl"
        return [line for _, line in lines(file) if line["kind"] == kind] if file.exists() else []

    @property
    def container(self) -> str:
        """Of the session that was opened last."""
        return f"sandgate-{self.audited('sandbox.claimed')[-1]['sandbox']}"


@dataclass(frozen=True, slots=True)
class Served:
    """A running server and its client."""

    home: Home
    client: Client

    async def call(self, tool: str, **arguments: Any) -> CallToolResult:
        """Raises BenchFailed for anything but a good answer."""
        result = await self.client.call_tool(tool, arguments)
        if result.is_error or (result.structured_content or {}).get("exit_code"):
            said = " ".join(part.text for part in result.content if isinstance(part, TextContent))
            raise BenchFailed(f"{tool} answered: {said[:300]}")
        return result

    @property
    def pid(self) -> int:
        """The process whose settings are this home's."""
        mark = str(self.home.folder / "bench.toml").encode()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and mark in _command_line(entry):
                return int(entry.name)
        raise BenchFailed("the server has ended")


def _command_line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


class Wire:
    """A server spoken to in lines, as a host writes them that costs nothing itself."""

    def __init__(self, process: Process) -> None:
        self._process, self._last, self._waiting = process, 0, bytearray()

    async def call(self, tool: str, **arguments: Any) -> None:
        """Raises BenchFailed for anything but a good answer."""
        answer = await self.ask("tools/call", {"name": tool, "arguments": arguments})
        if answer.get("isError") or (answer.get("structuredContent") or {}).get("exit_code"):
            raise BenchFailed(f"{tool} answered: {str(answer)[:300]}")

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._last += 1
        await self.tell(method, params, id=self._last)
        while True:
            message = json.loads(await self._line())
            if message.get("id") == self._last:
                return dict(message.get("result") or {"isError": True, **message})

    async def tell(self, method: str, params: dict[str, Any], **more: Any) -> None:
        assert self._process.stdin is not None  # noqa: S101 - wired() gave it one
        line = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, **more})
        await self._process.stdin.send(line.encode() + b"\n")

    async def _line(self) -> bytes:
        assert self._process.stdout is not None  # noqa: S101 - wired() gave it one
        while b"\n" not in self._waiting:
            self._waiting += await self._process.stdout.receive()
        line, _, self._waiting = self._waiting.partition(b"\n")
        return bytes(line)


@asynccontextmanager
async def wired(home: Home) -> AsyncGenerator[Wire]:
    told = home.parameters()
    command = [told.command, *told.args]
    async with await anyio.open_process(command, env=told.env, stderr=DEVNULL) as process:
        wire = Wire(process)
        about = {"name": "bench", "version": "1"}
        await wire.ask("initialize", {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": about})
        await wire.tell("notifications/initialized", {})
        yield wire
        assert process.stdin is not None  # noqa: S101 - as above
        await process.stdin.aclose()
        await process.wait()


@contextmanager
def _nowhere() -> Generator[TextIO]:
    """For what a server warns of: that is doctor's to say, and would tear a progress bar."""
    with Path(os.devnull).open("w") as nowhere:
        yield nowhere


@asynccontextmanager
async def serving(home: Home, settings: str = "") -> AsyncGenerator[Served]:
    with _nowhere() as nowhere:
        async with Client(stdio_client(home.parameters(settings), errlog=nowhere)) as client:
            yield Served(home, client)
