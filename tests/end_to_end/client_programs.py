"""Programs of tests/clients, started as their users would; each prints what it saw of the real server."""

import json
import subprocess
import sys
from typing import Any

from tests.end_to_end.rig import Home
from tests.installed import CLIENTS, node, node_modules, python, trusting

INSPECTOR = "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"


def client(name: str) -> list[str]:
    """How each is started."""
    match name:
        case "ts_v1" | "ts_v2":
            return [node(), str(node_modules() / f"{name}.mjs")]
        case "py_v2":
            return [sys.executable, str(CLIENTS / "py_v2.py")]
        case "py_v1":
            return [python("v1"), str(CLIENTS / "py_v1.py")]
        case "fastmcp":
            return [python("fastmcp"), str(CLIENTS / "fastmcp_client.py")]
        case _:
            return [python("frameworks"), str(CLIENTS / f"{name}.py")]


def printed(home: Home, argv: list[str]) -> str:
    environ = {**home.environ, **trusting()}
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
    return done.stdout


def inspected(home: Home, era: str, session: str, reach: list[str]) -> str:
    """What the Inspector's command line prints of the tools, and of a command; a line each."""
    config = home.folder / f"{session}.json"
    config.write_text(json.dumps({"mcpServers": {"it": _configured(home, reach)}}))
    argv = [node(), str(node_modules() / INSPECTOR), "--cli", "--config", str(config), "--server", "it"]
    argv += ["--protocol-era", era, "--format", "json", "--quiet", "--connect-timeout", "120000"]
    given = json.dumps({"command": "echo one; exit 3", "session": session})
    call = ["--method", "tools/call", "--tool-name", "shell", "--tool-args-json", given]
    return "".join(printed(home, [*argv, *words]) for words in (["--method", "tools/list", "--strict"], call))


def _configured(home: Home, reach: list[str]) -> dict[str, Any]:
    kind, first, *rest = reach
    if kind == "stdio":
        return {"command": first, "args": rest, "env": home.environ}
    kind = "streamable-http" if kind == "http" else kind
    return {"type": kind, "url": first, "headers": {"Authorization": f"Bearer {rest[0]}"}}
