"""The installers against the programs themselves, as far as npm has them: each finds what was written, and most start it.

They run in a network of their own with nothing in it but loopback, with a home of their own.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.installed import INSTALLED
from tests.real_engine import engine_url

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("npm"), reason="takes root for the network, and npm"),
]
PROGRAM = str(Path(sys.executable).with_name("sandgate"))
PACKAGES = (
    "@anthropic-ai/claude-code@2.1.197",
    "@github/copilot@1.0.102",
    "@google/gemini-cli@0.61.0",
    "@openai/codex@0.169.0",
    "@qwen-code/qwen-code@0.15.10",
    "opencode-ai@1.18.33",
)
# What each is asked, and what it says of a server that it knows. "onnected": it has started it and spoken with it.
ASKED = {
    "claude-code": (["claude", "mcp", "list"], "onnected"),
    "codex": (["codex", "mcp", "get", "sandgate"], "enabled: true"),
    "copilot-cli": (["copilot", "mcp", "get", "sandgate"], "Status: Enabled"),
    "gemini-cli": (["gemini", "mcp", "list"], "onnected"),
    "opencode": (["opencode", "mcp", "list"], "onnected"),
    "qwen-code": (["qwen", "mcp", "list"], "onnected"),
}


@pytest.fixture(scope="module")
def programs() -> Path:
    """The folder of their commands."""
    place = INSTALLED / "hosts"
    place.mkdir(parents=True, exist_ok=True)
    wanted = "\n".join(PACKAGES)
    if not (place / ".from").exists() or (place / ".from").read_text() != wanted:
        run(["npm", "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", *PACKAGES], place)
        for puts_its_binary_in_place in ("@anthropic-ai/claude-code/install.cjs", "opencode-ai/postinstall.mjs"):
            script = place / "node_modules" / puts_its_binary_in_place
            run(["node", script.name], script.parent)
        (place / ".from").write_text(wanted)
    return place / "node_modules/.bin"


def run(argv: list[str], folder: Path, environ: dict[str, str] | None = None, *, fails: bool = False) -> str:
    done = subprocess.run(
        argv,
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert fails or done.returncode == 0, f"{argv}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout + done.stderr


@pytest.mark.parametrize("client", ASKED)
def test_a_program_knows_what_was_installed_and_no_longer_what_was_taken_out(
    programs: Path, tmp_path: Path, client: str
) -> None:
    environ = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "TERM": "dumb",
        "DOCKER_HOST": engine_url(),
        "GEMINI_CLI_TRUST_WORKSPACE": "true",
    }
    argv, known = ASKED[client]
    alone = ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "alone", *argv]

    run([PROGRAM, "install", client], tmp_path, environ)
    said = run(alone, tmp_path, environ)
    assert "sandgate" in said
    assert known in said

    run([PROGRAM, "uninstall", client], tmp_path, environ)
    assert PROGRAM not in run(alone, tmp_path, environ, fails=True)
