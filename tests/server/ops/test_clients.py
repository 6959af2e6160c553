from pathlib import Path

import pytest

from server.ops.clients import CLIENTS, Client, NoProjectFile, entry, place

HOME = Path("/home/ada")
PROGRAM = Path("/opt/sandgate/bin/sandgate")


@pytest.mark.parametrize(
    ("client", "platform", "path"),
    [
        ("claude-code", "linux", "/home/ada/.claude.json"),
        ("claude-desktop", "linux", "/home/ada/.config/Claude/claude_desktop_config.json"),
        ("claude-desktop", "darwin", "/home/ada/Library/Application Support/Claude/claude_desktop_config.json"),
        ("cursor", "linux", "/home/ada/.cursor/mcp.json"),
        ("vscode", "linux", "/home/ada/.config/Code/User/mcp.json"),
        ("vscode", "darwin", "/home/ada/Library/Application Support/Code/User/mcp.json"),
    ],
)
def test_each_client_keeps_its_servers_where_it_looks_for_them(client: Client, platform: str, path: str) -> None:
    assert place(client, {}, HOME, platform).path == Path(path)


@pytest.mark.parametrize(
    ("client", "variable", "path"),
    [
        ("claude-code", "CLAUDE_CONFIG_DIR", "/moved/.claude.json"),
        ("claude-desktop", "XDG_CONFIG_HOME", "/moved/Claude/claude_desktop_config.json"),
        ("vscode", "XDG_CONFIG_HOME", "/moved/Code/User/mcp.json"),
    ],
)
def test_a_moved_settings_folder_is_followed(client: Client, variable: str, path: str) -> None:
    assert place(client, {variable: "/moved"}, HOME, "linux").path == Path(path)


@pytest.mark.parametrize(
    ("client", "path"),
    [("claude-code", ".mcp.json"), ("cursor", ".cursor/mcp.json"), ("vscode", ".vscode/mcp.json")],
)
def test_a_project_has_a_file_of_its_own(client: Client, path: str) -> None:
    assert place(client, {}, HOME, "linux", Path("/srv/project")).path == Path("/srv/project") / path


def test_claude_desktop_has_no_project_file() -> None:
    with pytest.raises(NoProjectFile, match="leave --project out"):
        place("claude-desktop", {}, HOME, "linux", Path("/srv/project"))


@pytest.mark.parametrize("client", CLIENTS)
def test_an_entry_starts_the_console_script_by_its_absolute_path(client: Client) -> None:
    made = entry(place(client, {}, HOME, "linux"), Path("bin/sandgate"), (), {})

    assert made["command"] == str(Path.cwd() / "bin/sandgate")
    assert isinstance(made["args"], list)
    assert made["args"][:2] == ["serve", "--stdio"]


def test_an_ide_gets_shell_and_jobs_unless_told_otherwise() -> None:
    where = place("cursor", {}, HOME, "linux")

    assert entry(where, PROGRAM, (), {})["args"] == ["serve", "--stdio", "--tools", "shell,jobs"]
    assert entry(where, PROGRAM, ("--tools", "files"), {})["args"] == ["serve", "--stdio", "--tools", "files"]


def test_an_assistant_gets_all_tools_and_what_was_asked_for() -> None:
    where = place("claude-code", {}, HOME, "linux")

    assert entry(where, PROGRAM, ("--workspace", "/src"), {}) == {
        "type": "stdio",
        "command": str(PROGRAM),
        "args": ["serve", "--stdio", "--workspace", "/src"],
    }


def test_the_engine_that_was_chosen_goes_along() -> None:
    made = entry(place("cursor", {}, HOME, "linux"), PROGRAM, (), {"DOCKER_HOST": "unix:///x", "OTHER": "1"})

    assert made["env"] == {"DOCKER_HOST": "unix:///x"}
