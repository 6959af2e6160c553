"""The ceiling where it really lies, /etc/sandgate/managed.toml, under real servers: each has an /etc of its own."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters

from tests.end_to_end.rig import PROGRAM, Home, structured, text_of

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.promise("managed.ceiling"),
    pytest.mark.skipif(
        os.geteuid() != 0 or shutil.which("unshare") is None, reason="a mount of one's own takes root, and unshare"
    ),
]
MANAGED = """
environment = "base"
tools = ["shell", "sessions", "policy"]
[policy]
profile = "standard"
[egress]
allow = ["a.example"]
[limits]
sessions_each = 1
"""
WIDER = """
tools = ["shell", "files", "sessions", "policy"]
[policy]
profile = "open"
[egress]
allow = ["evil.example"]
[limits]
sessions_each = 50
"""
INSIDE = 'mount --bind "$0" /etc && exec "$@"'


@dataclass(frozen=True, slots=True)
class Machine:
    """A home, and an /etc that only what is started here sees."""

    home: Home
    etc: Path

    def argv(self, *words: str) -> list[str]:
        return ["unshare", "--mount", "sh", "-c", INSIDE, str(self.etc), PROGRAM, *words]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.argv(*words),
            check=False,
            env=self.home.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )


@pytest.fixture
def machine(folder: Path) -> Machine:
    home, etc = Home(folder / "h", WIDER, extra={"SANDGATE_PROFILE": "open"}), folder / "etc"
    home.folder.mkdir(exist_ok=True)
    home.write_settings()
    (folder / "named.toml").write_text(WIDER)
    if not etc.exists():
        shutil.copytree("/etc", etc, symlinks=True, ignore_dangling_symlinks=True)
    etc.chmod(0o755)
    (etc / "sandgate").mkdir(exist_ok=True)
    (etc / "sandgate/managed.toml").write_text(MANAGED)
    (etc / "sandgate/managed.toml").chmod(0o644)
    (etc / "sandgate/sandgate.toml").write_text(WIDER)
    return Machine(home, etc)


async def test_a_real_server_is_held_by_it_whatever_else_is_said(machine: Machine, folder: Path) -> None:
    program, *words = machine.argv(
        "serve", "--stdio", "--config", str(folder / "named.toml"), "--tools", "shell,files,sessions,policy"
    )
    parameters = StdioServerParameters(command=program, args=words, env=machine.home.environ)
    async with Client(parameters) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        host = text_of(await client.call_tool("policy_check", {"host": "evil.example"}))
        allowed = text_of(await client.call_tool("policy_check", {"host": "a.example"}))
        push = structured(await client.call_tool("policy_check", {"command": "git push"}))
        assert not (await client.call_tool("session_open", {"session": "one"})).is_error
        with pytest.raises(MCPError, match="as many as allowed"):
            await client.call_tool("session_open", {"session": "two"})

    assert "shell" in tools
    assert not {name for name in tools if name.startswith("file_")}
    assert "deny" in host.lower()
    assert "allow" in allowed.lower()
    assert push["effect"] == "ask"


def test_a_person_at_the_command_line_reads_who_has_the_list(machine: Machine) -> None:
    done = machine.run("allow", "evil.example")

    assert done.returncode != 0
    assert "/etc/sandgate/managed.toml" in done.stderr


@pytest.mark.parametrize("what", ["written by all", "no setting"])
def test_one_that_cannot_be_trusted_ends_the_start(machine: Machine, what: str) -> None:
    path = machine.etc / "sandgate/managed.toml"
    if what == "no setting":
        path.write_text("profil = 1")
    else:
        path.chmod(0o666)
    done = machine.run("serve", "--stdio")

    assert done.returncode != 0
    assert "/etc/sandgate/managed.toml" in done.stderr
    assert "Traceback" not in done.stderr
