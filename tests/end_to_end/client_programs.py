"""Programs of tests/clients, started as their users would; each prints what it saw of the real server."""

import subprocess
import sys

from tests.end_to_end.rig import Home
from tests.installed import CLIENTS, node, node_modules, python, trusting


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
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
    return done.stdout
