"""What a client is told, and when it is told nothing; test_install.py has what is written."""

import json
from pathlib import Path

import pytest

from server import cli
from tests.server.ops.commands import Said, refused


def test_a_client_is_told_the_folder_that_was_meant_wherever_it_starts_its_servers(
    machine: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(machine)
    (machine / "a.toml").touch()
    for name in ("one", "two"):
        (machine / name).mkdir()
    words = ["--workspace", "one:ro", "--workspace=two", "--allow-root-owned", "--config", "a.toml"]

    assert cli.main(["install", "gemini-cli", "--project", ".", "--print", "--", *words]) == 0

    shown = capsys.readouterr().out
    told = json.loads(shown.split("\n", 1)[1])["mcpServers"]["sandgate"]["args"]
    assert told[2:] == [
        *("--workspace", f"{machine}/one:ro", f"--workspace={machine}/two", "--allow-root-owned"),
        *("--config", f"{machine}/a.toml"),
    ]


def test_a_client_is_not_told_of_a_folder_that_its_server_would_not_lend(machine: Path, capsys: Said) -> None:
    words = ["install", "cursor", "--project", str(machine), "--", "--workspace", str(machine / "no")]
    assert "cannot be lent" in refused(capsys, *words)
    assert not (machine / ".cursor").exists()


def test_a_client_is_not_told_of_an_environment_that_its_server_would_not_have(machine: Path, capsys: Said) -> None:
    words = ["install", "cursor", "--project", str(machine), "--", "--environment", "rubby"]
    assert refused(capsys, *words) == "there is no environment rubby; the settings offer base, python, node"
    assert not (machine / ".cursor").exists()


def test_a_project_that_is_not_there_is_not_made(machine: Path, capsys: Said) -> None:
    assert "there is no such folder" in refused(capsys, "install", "cursor", "--project", str(machine / "no"))
    assert not (machine / "no").exists()


def test_what_was_never_installed_is_not_said_to_be_there(machine: Path, capsys: Said) -> None:
    assert cli.main(["uninstall", "cursor", "--project", str(machine)]) == 0
    assert capsys.readouterr().out.endswith("has no server of ours; nothing to do\n")
