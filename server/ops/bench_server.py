"""A server of the bench's own, as a client starts it: state, settings and sockets in a folder that goes with it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.types import CallToolResult, TextContent

from server.record.reading import lines
from server.settings import ENVIRON

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
    def container(self) -> str:
        """Of the session that was opened last."""
        return f"sandgate-{self.home.audited('sandbox.claimed')[-1]['sandbox']}"

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


@asynccontextmanager
async def serving(home: Home, settings: str = "") -> AsyncGenerator[Served]:
    async with Client(home.parameters(settings)) as client:
        yield Served(home, client)
