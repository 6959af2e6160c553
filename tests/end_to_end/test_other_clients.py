"""The same calls made by clients that are not ours: the `mcp` 1.x client and the TypeScript SDK."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.end_to_end.rig import Home
from tests.installed import CLIENTS, node, node_modules, python, trusting


def answer(home: Home, *argv: str) -> dict[str, Any]:
    """What a client program printed after its session with the real server."""
    environ = {**home.environ, **trusting()}
    done = subprocess.run([*argv, *home.argv], env=environ, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def agrees(found: dict[str, Any]) -> None:
    assert found["tools"][:2] == ["shell", "exec"]
    assert (found["ran"]["status"], found["ran"]["exit_code"], found["ran"]["stdout"]) == ("exited", 3, "one\ntwo\n")
    assert "one" in "".join(found["progress"])
    assert found["refused"]["isError"] is True
    assert "privilege.tools" in found["refused"]["content"][0]["text"]


def test_the_mcp_1_client_makes_the_same_calls(folder: Path) -> None:
    found = answer(Home(folder), python("v1"), str(CLIENTS / "py_v1.py"))

    assert found["protocol"] == "2025-11-25"
    agrees(found)


def test_the_typescript_sdk_makes_the_same_calls_and_its_abort_ends_the_command(folder: Path) -> None:
    found = answer(Home(folder), node(), str(node_modules() / "ts_v1.mjs"))

    agrees(found)
    assert (found["aborted"], found["gone"]) == (True, True)
