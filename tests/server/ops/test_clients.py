from pathlib import Path
from typing import Any

import pytest

from server.commands import CLIENTS as NAMED_CLIENTS
from server.ops.clients import CLIENTS, Client, NoSuchPlace, entry, is_ours, place

HOME = Path("/home/ada")
PROGRAM = Path("/opt/sandgate/bin/sandgate")
APP = "/home/ada/Library/Application Support"
CODE = "/home/ada/.config/Code/User"
STORAGE = f"{CODE}/globalStorage"


@pytest.mark.parametrize(
    ("client", "platform", "path"),
    [
        ("claude-code", "linux", "/home/ada/.claude.json"),
        ("claude-desktop", "linux", "/home/ada/.config/Claude/claude_desktop_config.json"),
        ("claude-desktop", "darwin", f"{APP}/Claude/claude_desktop_config.json"),
        ("cline", "linux", f"{STORAGE}/saoudrizwan.claude-dev/settings/cline_mcp_settings.json"),
        ("codex", "linux", "/home/ada/.codex/config.toml"),
        ("continue", "linux", "/home/ada/.continue/mcpServers/sandgate.json"),
        ("copilot-cli", "linux", "/home/ada/.copilot/mcp-config.json"),
        ("crush", "linux", "/home/ada/.config/crush/crush.json"),
        ("cursor", "linux", "/home/ada/.cursor/mcp.json"),
        ("gemini-cli", "linux", "/home/ada/.gemini/settings.json"),
        ("goose", "darwin", "/home/ada/.config/goose/config.yaml"),
        ("junie", "linux", "/home/ada/.junie/mcp/mcp.json"),
        ("opencode", "linux", "/home/ada/.config/opencode/opencode.json"),
        ("qwen-code", "linux", "/home/ada/.qwen/settings.json"),
        ("roo-code", "linux", f"{STORAGE}/rooveterinaryinc.roo-cline/settings/mcp_settings.json"),
        ("vscode", "linux", f"{CODE}/mcp.json"),
        ("vscode", "darwin", f"{APP}/Code/User/mcp.json"),
        ("windsurf", "linux", "/home/ada/.codeium/windsurf/mcp_config.json"),
        ("zed", "darwin", "/home/ada/.config/zed/settings.json"),
    ],
)
def test_each_client_keeps_its_servers_where_it_looks_for_them(client: Client, platform: str, path: str) -> None:
    assert place(client, {}, HOME, platform).path == Path(path)


@pytest.mark.parametrize(
    ("client", "variable", "path"),
    [
        ("claude-code", "CLAUDE_CONFIG_DIR", "/moved/.claude.json"),
        ("claude-desktop", "XDG_CONFIG_HOME", "/moved/Claude/claude_desktop_config.json"),
        ("codex", "CODEX_HOME", "/moved/config.toml"),
        ("vscode", "XDG_CONFIG_HOME", "/moved/Code/User/mcp.json"),
    ],
)
def test_a_moved_settings_folder_is_followed(client: Client, variable: str, path: str) -> None:
    assert place(client, {variable: "/moved"}, HOME, "linux").path == Path(path)


@pytest.mark.parametrize(
    ("client", "path"),
    [
        ("claude-code", ".mcp.json"),
        ("cursor", ".cursor/mcp.json"),
        ("librechat", "librechat.yaml"),
        ("vscode", ".vscode/mcp.json"),
    ],
)
def test_a_project_has_a_file_of_its_own(client: Client, path: str) -> None:
    assert place(client, {}, HOME, "linux", Path("/srv/project")).path == Path("/srv/project") / path


def test_a_client_without_such_a_place_says_which_it_has() -> None:
    with pytest.raises(NoSuchPlace, match="leave --project out"):
        place("claude-desktop", {}, HOME, "linux", Path("/srv/project"))
    with pytest.raises(NoSuchPlace, match="name that with --project"):
        place("librechat", {}, HOME, "linux")


def test_the_words_of_the_command_line_name_all_of_them() -> None:
    assert NAMED_CLIENTS == CLIENTS


def started(made: dict[str, Any]) -> list[str]:
    """The command that a client runs, whatever it calls it."""
    command = made["cmd"] if "cmd" in made else made["command"]
    return command if isinstance(command, list) else [command, *made["args"]]


@pytest.mark.parametrize("client", CLIENTS)
def test_an_entry_starts_the_console_script_by_its_absolute_path(client: Client) -> None:
    where = place(client, {}, HOME, "linux", Path("/srv/project") if client == "librechat" else None)
    made = entry(where, Path("bin/sandgate"), (), {})

    assert started(made)[:3] == [str(Path.cwd() / "bin/sandgate"), "serve", "--stdio"]
    assert is_ours(made)


@pytest.mark.parametrize(
    "found", [{}, None, "sandgate", {"url": "https://x"}, {"command": "npx", "args": ["sandgate"]}]
)
def test_an_entry_that_starts_something_else_is_not_ours(found: object) -> None:
    assert not is_ours(found)


@pytest.mark.parametrize("client", ["cline", "continue", "cursor", "junie", "roo-code", "vscode", "windsurf", "zed"])
def test_an_ide_gets_shell_and_jobs_unless_told_otherwise(client: Client) -> None:
    where = place(client, {}, HOME, "linux")

    assert entry(where, PROGRAM, (), {})["args"] == ["serve", "--stdio", "--tools", "shell,jobs"]
    assert entry(where, PROGRAM, ("--tools", "files"), {})["args"] == ["serve", "--stdio", "--tools", "files"]


def test_an_assistant_gets_all_tools_and_what_was_asked_for() -> None:
    where = place("claude-code", {}, HOME, "linux")

    assert entry(where, PROGRAM, ("--workspace", "/src"), {}) == {
        "type": "stdio",
        "command": str(PROGRAM),
        "args": ["serve", "--stdio", "--workspace", "/src"],
    }


@pytest.mark.parametrize(("client", "key"), [("cursor", "env"), ("opencode", "environment"), ("goose", "envs")])
def test_the_engine_that_was_chosen_goes_along(client: Client, key: str) -> None:
    made = entry(place(client, {}, HOME, "linux"), PROGRAM, (), {"DOCKER_HOST": "unix:///x", "OTHER": "1"})

    assert made[key] == {"DOCKER_HOST": "unix:///x"}


def test_a_server_is_told_where_this_shells_own_commands_look_for_it() -> None:
    mine = {"XDG_STATE_HOME": "/srv/state", "SANDGATE_CONFIG": "/srv/s.toml"}

    assert entry(place("cursor", {}, HOME, "linux"), PROGRAM, (), mine)["env"] == mine
    assert "env" not in entry(place("cursor", {}, HOME, "linux"), PROGRAM, (), mine, "/var/run/docker.sock")
