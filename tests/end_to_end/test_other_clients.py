"""The same calls made by clients that are not ours: the `mcp` 1.x client and the TypeScript SDK."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.end_to_end.rig import Home

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "tests" / "clients"
INSTALLED = ROOT / ".tools"  # beside what scripts/setup puts there; ignored by git
INSTALL_S = 300


def prepare(argv: list[str], folder: Path) -> None:
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def answer(home: Home, *argv: str) -> dict[str, Any]:
    """What a client program printed after its session with the real server."""
    environ = {**home.environ, **{name: os.environ[name] for name in ("NODE_EXTRA_CA_CERTS",) if name in os.environ}}
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
    python = INSTALLED / "client-v1" / "bin" / "python"
    lock = ROOT / "requirements" / "client-v1.txt"
    uv = ["sh", str(ROOT / "scripts" / "setup"), "--uv"]
    if not python.exists():
        prepare([*uv, "venv", "--quiet", "--python", "3.13", str(python.parents[1])], ROOT)
    prepare([*uv, "pip", "sync", "--quiet", "--require-hashes", "--python", str(python), str(lock)], ROOT)

    found = answer(Home(folder), str(python), str(CLIENTS / "py_v1.py"))

    assert found["protocol"] == "2025-11-25"
    agrees(found)


def test_the_typescript_sdk_makes_the_same_calls_and_its_abort_ends_the_command(folder: Path) -> None:
    node = shutil.which("node")
    assert node, "node is needed for the tests: apt-get install nodejs npm"
    place = INSTALLED / "clients"
    place.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "ts_v1.mjs"):
        shutil.copy(CLIENTS / name, place / name)
    if not (place / "node_modules").exists():
        prepare(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], place)

    found = answer(Home(folder), node, str(place / "ts_v1.mjs"))

    agrees(found)
    assert (found["aborted"], found["gone"]) == (True, True)
