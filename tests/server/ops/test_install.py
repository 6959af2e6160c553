import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from server.ops.clients import Client
from server.ops.install import NotOurs, Plan, apply, plan_install, plan_uninstall

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
PROGRAM = Path("/opt/sandgate/bin/sandgate")


def install(home: Path, client: Client = "cursor") -> Plan:
    return plan_install(client, PROGRAM, environ={}, home=home, platform="linux")


def uninstall(home: Path, client: Client = "cursor") -> Plan:
    return plan_uninstall(client, environ={}, home=home, platform="linux")


def cursor(home: Path, text: str) -> Path:
    path = home / ".cursor/mcp.json"
    path.parent.mkdir()
    path.write_text(text)
    return path


def content(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@pytest.mark.parametrize("client", ["claude-code", "claude-desktop", "cursor"])
def test_a_new_file_holds_the_server_under_the_clients_key(tmp_path: Path, client: Client) -> None:
    written = apply(install(tmp_path, client), NOW)

    assert content(written.path)["mcpServers"]["sandgate"]["command"] == str(PROGRAM)
    assert written.backup is None
    assert stat.S_IMODE(written.path.stat().st_mode) == 0o600


def test_vscode_has_its_own_key_and_wants_the_type(tmp_path: Path) -> None:
    written = apply(install(tmp_path, "vscode"), NOW)

    assert content(written.path) == {
        "servers": {
            "sandgate": {
                "type": "stdio",
                "command": str(PROGRAM),
                "args": ["serve", "--stdio", "--tools", "shell,jobs"],
            }
        }
    }


def test_planning_writes_nothing(tmp_path: Path) -> None:
    plan = install(tmp_path)

    assert plan.changes
    assert '"sandgate"' in plan.after
    assert list(tmp_path.iterdir()) == []


def test_other_entries_their_order_and_the_indent_stay(tmp_path: Path) -> None:
    text = '{\n\t"theme": "dark",\n\t"mcpServers": {\n\t\t"zeta": {"command": "z", "env": {"KEY": "ü"}},\n\t\t"alpha": {}\n\t},\n\t"last": 1.5\n}\n'
    path = cursor(tmp_path, text)

    apply(install(tmp_path), NOW)

    assert list(content(path)) == ["theme", "mcpServers", "last"]
    assert list(content(path)["mcpServers"]) == ["zeta", "alpha", "sandgate"]
    assert '\n\t"theme"' in path.read_text()
    assert '"ü"' in path.read_text()
    assert path.read_text().endswith("}\n")


def test_the_old_file_is_kept_beside_it_with_the_time(tmp_path: Path) -> None:
    path = cursor(tmp_path, "{}")

    written = apply(install(tmp_path), NOW)

    assert written.backup == path.with_name("mcp.json.sandgate-20260504-030201-000000.bak")
    assert written.backup.read_text() == "{}"


def test_the_mode_stays_and_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "dotfiles.json").write_text("{}")
    (tmp_path / "dotfiles.json").chmod(0o640)
    (tmp_path / ".cursor").mkdir()
    (tmp_path / ".cursor/mcp.json").symlink_to(tmp_path / "dotfiles.json")

    apply(install(tmp_path), NOW)

    assert (tmp_path / ".cursor/mcp.json").is_symlink()
    assert "sandgate" in (tmp_path / "dotfiles.json").read_text()
    assert stat.S_IMODE((tmp_path / "dotfiles.json").stat().st_mode) == 0o640


def test_installing_again_changes_nothing(tmp_path: Path) -> None:
    first = apply(install(tmp_path), NOW)
    before = first.path.read_bytes()

    plan = install(tmp_path)

    assert not plan.changes
    assert apply(plan, NOW).backup is None
    assert first.path.read_bytes() == before
    assert list(first.path.parent.iterdir()) == [first.path]


def test_uninstalling_takes_out_ours_alone(tmp_path: Path) -> None:
    path = cursor(tmp_path, '{"mcpServers": {"other": {}}}')
    apply(install(tmp_path), NOW)

    apply(uninstall(tmp_path), NOW)

    assert content(path) == {"mcpServers": {"other": {}}}
    assert not uninstall(tmp_path).changes


def test_uninstalling_where_nothing_is_makes_no_file(tmp_path: Path) -> None:
    apply(uninstall(tmp_path), NOW)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{ // mine\n}", "not plain JSON"),
        ('{"a": 1, "a": 2}', "occurs twice"),
        ("[]", "does not hold a JSON object"),
        ('{"mcpServers": []}', "not an object of servers"),
        ("\udcff", "cannot be read"),
    ],
)
def test_a_file_that_would_lose_something_is_left_alone(tmp_path: Path, text: str, sentence: str) -> None:
    path = cursor(tmp_path, "")
    path.write_bytes(text.encode(errors="surrogateescape"))

    with pytest.raises(NotOurs, match=sentence):
        install(tmp_path)

    assert path.read_bytes() == text.encode(errors="surrogateescape")


def test_the_refusal_says_what_to_add_by_hand(tmp_path: Path) -> None:
    cursor(tmp_path, "{ /* mine */ }")

    with pytest.raises(NotOurs, match=r'add \{"sandgate": \{"command": .* to \'mcpServers\' by hand'):
        install(tmp_path)
    with pytest.raises(NotOurs, match=r"remove 'sandgate' from 'mcpServers' by hand"):
        uninstall(tmp_path)


def test_an_empty_file_counts_as_no_settings(tmp_path: Path) -> None:
    path = cursor(tmp_path, "\n")

    apply(install(tmp_path), NOW)

    assert list(content(path)) == ["mcpServers"]


def test_a_file_that_another_program_has_just_changed_is_not_overwritten(tmp_path: Path) -> None:
    path = cursor(tmp_path, "{}")
    plan = install(tmp_path)
    path.write_text('{"theme": "dark"}')

    with pytest.raises(NotOurs, match="run the command again"):
        apply(plan, NOW)

    assert path.read_text() == '{"theme": "dark"}'


def test_a_write_that_fails_leaves_the_old_file_and_no_scraps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = cursor(tmp_path, "{}")
    plan = install(tmp_path)

    def no_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_disk)
    with pytest.raises(OSError, match="No space"):
        apply(plan, NOW)

    assert path.read_text() == "{}"
    assert [each.suffix for each in sorted(path.parent.iterdir())] == [".json", ".bak"]
