"""The MCP clients that we can be installed into: where each keeps its servers, and in which shape."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal, get_args

from server.sandbox.workspaces import parse

type Client = Literal[
    "claude-code",
    "claude-desktop",
    "cline",
    "codex",
    "continue",
    "copilot-cli",
    "crush",
    "cursor",
    "gemini-cli",
    "goose",
    "junie",
    "librechat",
    "opencode",
    "qwen-code",
    "roo-code",
    "vscode",
    "windsurf",
    "zed",
]
type Format = Literal["json", "toml", "yaml"]  # json: with comments and trailing commas, as most of them read it
type Shape = Literal["plain", "stdio", "local", "zed", "opencode", "goose"]

CLIENTS: Final[tuple[Client, ...]] = get_args(Client.__value__)
NAME: Final = "sandgate"
IDE_TOOLS: Final = ("--tools", "shell,jobs")
IMAGE: Final = "sandgate/server"
RUN: Final = (
    *("run", "-i", "--rm", "--pid=host", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL"),
    *("--security-opt=no-new-privileges", "-v", "sandgate-run:/run/sandgate", "-v", "sandgate-state:/var/lib/sandgate"),
)
ENGINE_SOCKET: Final = "/var/run/docker.sock"
_ENGINE_VARIABLES: Final = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "SSL_CERT_FILE")
_OUR_VARIABLES: Final = (
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
    "SANDGATE_CONFIG",
    "SANDGATE_STATE_DIR",
    "SANDGATE_RUNTIME_DIR",
)
_CALL_S: Final = 300  # goose's own default; a call of ours answers within a minute
_APPDATA: Final = "Library/Application Support"


class NoSuchPlace(Exception):
    """The client keeps no servers in a project's folder, or only there."""


@dataclass(frozen=True, slots=True)
class Place:
    """`key` is the object in `path` that holds the servers by name; `ide` brings its own file tools."""

    path: Path
    key: str = "mcpServers"
    shape: Shape = "plain"
    format: Format = "json"
    ide: bool = False


def place(client: Client, environ: Mapping[str, str], home: Path, platform: str, project: Path | None = None) -> Place:
    """The user's file, or the one in `project` that is shared with everyone who works there.

    As the clients' own documentation has it in November 2026; opencode's is that of its version 1.
    """
    places = _in_project(project) if project else _of_user(environ, home, platform)
    if client in places:
        return places[client]
    if project is None:
        raise NoSuchPlace(f"{client} keeps its servers only in its own folder: name that with --project.")
    raise NoSuchPlace(f"{client} has no settings in a project's folder; leave --project out.")


def _of_user(environ: Mapping[str, str], home: Path, platform: str) -> dict[Client, Place]:
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    app = home / _APPDATA if platform == "darwin" else config
    code = app / "Code/User"
    return {
        "claude-code": Place(Path(environ.get("CLAUDE_CONFIG_DIR") or home) / ".claude.json", shape="stdio"),
        "claude-desktop": Place(app / "Claude/claude_desktop_config.json"),
        "cline": Place(code / "globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json", ide=True),
        "codex": Place(
            Path(environ.get("CODEX_HOME") or home / ".codex") / "config.toml", "mcp_servers", format="toml"
        ),
        "continue": Place(home / ".continue/mcpServers/sandgate.json", ide=True),
        "copilot-cli": Place(home / ".copilot/mcp-config.json", shape="local"),
        "crush": Place(config / "crush/crush.json", "mcp", "stdio"),
        "cursor": Place(home / ".cursor/mcp.json", ide=True),
        "gemini-cli": Place(home / ".gemini/settings.json"),
        "goose": Place(config / "goose/config.yaml", "extensions", "goose", "yaml"),
        "junie": Place(home / ".junie/mcp/mcp.json", ide=True),
        "opencode": Place(config / "opencode/opencode.json", "mcp", "opencode"),
        "qwen-code": Place(home / ".qwen/settings.json"),
        "roo-code": Place(code / "globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json", ide=True),
        "vscode": Place(code / "mcp.json", "servers", "stdio", ide=True),
        "windsurf": Place(home / ".codeium/windsurf/mcp_config.json", ide=True),
        "zed": Place(config / "zed/settings.json", "context_servers", "zed", ide=True),
    }


def _in_project(project: Path) -> dict[Client, Place]:
    return {
        "claude-code": Place(project / ".mcp.json", shape="stdio"),
        "codex": Place(project / ".codex/config.toml", "mcp_servers", format="toml"),
        "continue": Place(project / ".continue/mcpServers/sandgate.json", ide=True),
        "copilot-cli": Place(project / ".github/mcp.json", shape="local"),
        "crush": Place(project / "crush.json", "mcp", "stdio"),
        "cursor": Place(project / ".cursor/mcp.json", ide=True),
        "gemini-cli": Place(project / ".gemini/settings.json"),
        "junie": Place(project / ".junie/mcp/mcp.json", ide=True),
        "librechat": Place(project / "librechat.yaml", shape="stdio", format="yaml"),
        "opencode": Place(project / "opencode.json", "mcp", "opencode"),
        "qwen-code": Place(project / ".qwen/settings.json"),
        "roo-code": Place(project / ".roo/mcp.json", ide=True),
        "vscode": Place(project / ".vscode/mcp.json", "servers", "stdio", ide=True),
    }


def entry(
    where: Place, program: Path, extra: tuple[str, ...], environ: Mapping[str, str], socket: str = ""
) -> dict[str, object]:
    """What the client is told to start. Desktop programs see no shell profile, so the engine's address goes along, and
    where this shell's own commands find settings and state, so that they reach that server.

    socket: the engine's, for a server that runs as a container beside its sandboxes; nothing: the console script.
    """
    tools = IDE_TOOLS if where.ide and "--tools" not in extra else ()
    served = ["serve", "--stdio", *tools, *extra]
    command, arguments = str(program.absolute()), served
    if socket:
        command, arguments = "docker", [*RUN, "-v", f"{socket}:{ENGINE_SOCKET}", *_lent(extra), IMAGE, *served]
    named = _ENGINE_VARIABLES if socket else (*_ENGINE_VARIABLES, *_OUR_VARIABLES)
    variables = {name: environ[name] for name in named if environ.get(name)}
    plain: dict[str, object] = {"command": command, "args": arguments, **({"env": variables} if variables else {})}
    match where.shape:
        case "plain":
            return plain
        case "stdio":
            return {"type": "stdio", **plain}
        case "local":
            return {"type": "local", **plain, "tools": ["*"]}
        case "zed":
            return {"source": "custom", **plain}
        case "opencode":
            environment = {"environment": variables} if variables else {}
            return {"type": "local", "command": [command, *arguments], "enabled": True, **environment}
        case "goose":
            started = {"type": "stdio", "cmd": command, "args": arguments, "envs": variables, "env_keys": []}
            return {"name": NAME, "description": "A sandboxed shell", "enabled": True, **started, "timeout": _CALL_S}


def engine_socket(environ: Mapping[str, str], platform: str) -> str:
    """Where the engine's machine has its socket. Elsewhere than on Linux that is another machine, with the usual path."""
    host = environ.get("DOCKER_HOST", "")
    return host.removeprefix("unix://") if platform == "linux" and host.startswith("unix://") else ENGINE_SOCKET


def _lent(extra: tuple[str, ...]) -> Iterator[str]:
    """Folders that are lent have to be in the container as well, at their own path, and may be private to their owner."""
    named = [
        option.partition("=")[2] or value
        for option, value in pairwise((*extra, ""))
        if option.partition("=")[0] == "--workspace"
    ]
    if named:
        yield from (f"--cap-add={capability}" for capability in ("CHOWN", "DAC_OVERRIDE", "FOWNER"))
    for folder, _ in map(parse, named):
        yield from ("-v", f"{folder}:{folder}")


def is_ours(found: object) -> bool:
    """Whether an entry of our name starts us: somebody else may have a server called so."""
    if not isinstance(found, Mapping):
        return False
    told = found.get("command") or found.get("cmd")
    words = told if isinstance(told, list) else [told, *(found.get("args") or ())]
    if not words or not isinstance(words[0], str):
        return False
    return Path(words[0]).stem == NAME or (Path(words[0]).stem == "docker" and IMAGE in words)
