"""The MCP clients that we can be installed into: where each keeps its servers, and in which shape."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

type Client = Literal["claude-code", "claude-desktop", "cursor", "vscode"]

CLIENTS: Final[tuple[Client, ...]] = get_args(Client.__value__)
NAME: Final = "sandgate"
IDE_TOOLS: Final = ("--tools", "shell,jobs")
_ENGINE_VARIABLES: Final = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "SSL_CERT_FILE")


class NoProjectFile(Exception):
    """The client keeps no servers in a project's folder."""


@dataclass(frozen=True, slots=True)
class Place:
    """`key` is the object in `path` that holds the servers by name; `ide` brings its own file tools."""

    path: Path
    key: str
    typed: bool
    ide: bool = False


def place(client: Client, environ: Mapping[str, str], home: Path, platform: str, project: Path | None = None) -> Place:
    """The user's file, or the one in `project` that is shared with everyone who works there."""
    match client:
        case "claude-code":
            user = Path(environ.get("CLAUDE_CONFIG_DIR") or home) / ".claude.json"
            return Place(project / ".mcp.json" if project else user, "mcpServers", typed=True)
        case "claude-desktop":
            if project:
                raise NoProjectFile("Claude Desktop has no settings in a project's folder; leave --project out.")
            return Place(_app(environ, home, platform) / "Claude/claude_desktop_config.json", "mcpServers", typed=False)
        case "cursor":
            return Place((project or home) / ".cursor/mcp.json", "mcpServers", typed=False, ide=True)
        case "vscode":
            user = _app(environ, home, platform) / "Code/User/mcp.json"
            return Place(project / ".vscode/mcp.json" if project else user, "servers", typed=True, ide=True)


def entry(where: Place, program: Path, extra: tuple[str, ...], environ: Mapping[str, str]) -> dict[str, object]:
    """What the client is told to start. Desktop programs see no shell profile, so the engine's address goes along."""
    tools = IDE_TOOLS if where.ide and "--tools" not in extra else ()
    made: dict[str, object] = {"type": "stdio"} if where.typed else {}
    made |= {"command": str(program.absolute()), "args": ["serve", "--stdio", *tools, *extra]}
    variables = {name: environ[name] for name in _ENGINE_VARIABLES if environ.get(name)}
    return made | ({"env": variables} if variables else {})


def _app(environ: Mapping[str, str], home: Path, platform: str) -> Path:
    if platform == "darwin":
        return home / "Library/Application Support"
    return Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
