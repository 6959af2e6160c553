import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from server.ops.clients import CLIENTS, Client, Place, place
from server.ops.install import NotOurs, Plan, apply, plan_install, plan_uninstall

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
PROGRAM = Path("/opt/sandgate/bin/sandgate")


def install(home: Path, client: Client = "cursor", *extra: str, force: bool = False) -> Plan:
    project = home if client == "librechat" else None
    return plan_install(
        client, PROGRAM, environ={}, home=home, platform="linux", extra=extra, project=project, force=force
    )


def uninstall(home: Path, client: Client = "cursor", *, force: bool = False) -> Plan:
    project = home if client == "librechat" else None
    return plan_uninstall(client, environ={}, home=home, platform="linux", project=project, force=force)


def kept_by(home: Path, client: Client) -> Place:
    return place(client, {}, home, "linux", home if client == "librechat" else None)


def cursor(home: Path, text: str) -> Path:
    path = home / ".cursor/mcp.json"
    path.parent.mkdir()
    path.write_text(text)
    return path


def content(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


# What a person may have in such a file: things of other programs, comments, odd blanks, no end of the last line.
LIVED_IN = {
    "json": """\
// mine
{
    "theme":   "dark",   // at night
    "KEY": {
        /* the old one */
        "zeta": {"command": "z", "args": ["-y",], "env": {"TOKEN": "ü"}},
    },
    "last": 1.50
}""",
    "toml": """\
# mine
theme   = 'dark'  # at night

[KEY.zeta]
command = "z"   # the old one
args = [ "-y", ]

[last]
n = 1_000
""",
    "yaml": """\
# mine
theme:   dark   # at night
KEY:
  # the old one
  zeta:
      type: stdio
      args: ["-y"]

last: 'yes'
""",
}
EDITED = {"json": ("// at night", "// by day"), "toml": ("# at night", "# by day"), "yaml": ("# at night", "# by day")}


@pytest.fixture
def lived_in(tmp_path: Path, client: Client) -> Path:
    where = kept_by(tmp_path, client)
    where.path.parent.mkdir(parents=True, exist_ok=True)
    where.path.write_bytes(LIVED_IN[where.format].replace("KEY", where.key).encode())
    return where.path


# --- for each client -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", CLIENTS)
def test_what_was_there_comes_back_to_the_byte(tmp_path: Path, client: Client, lived_in: Path) -> None:
    before = lived_in.read_bytes()

    written = apply(install(tmp_path, client), NOW)
    assert written.backup is not None
    assert written.backup.read_bytes() == before
    assert b"serve" in lived_in.read_bytes()
    assert not install(tmp_path, client).changes  # a second time

    apply(uninstall(tmp_path, client), NOW)
    assert lived_in.read_bytes() == before
    assert list(lived_in.parent.iterdir()) == [lived_in]
    assert not uninstall(tmp_path, client).changes


@pytest.mark.parametrize("client", CLIENTS)
def test_what_was_edited_in_between_stays_and_only_ours_goes(tmp_path: Path, client: Client, lived_in: Path) -> None:
    before = lived_in.read_bytes()
    old, new = (word.encode() for word in EDITED[kept_by(tmp_path, client).format])

    apply(install(tmp_path, client), NOW)
    lived_in.write_bytes(lived_in.read_bytes().replace(old, new))
    apply(uninstall(tmp_path, client), NOW)

    assert lived_in.read_bytes() == before.replace(old, new)


@pytest.mark.parametrize("client", CLIENTS)
def test_where_nothing_was_nothing_is_left(tmp_path: Path, client: Client) -> None:
    path = kept_by(tmp_path, client).path

    written = apply(install(tmp_path, client), NOW)
    assert (written.path, written.backup) == (path, None)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

    apply(install(tmp_path, client, "--workspace", "/srv/project"), NOW)
    apply(uninstall(tmp_path, client), NOW)
    assert not path.exists()
    assert not path.parent.exists() or list(path.parent.iterdir()) == []


@pytest.mark.parametrize("client", CLIENTS)
def test_other_arguments_replace_the_entry_and_the_first_text_still_comes_back(
    tmp_path: Path, client: Client, lived_in: Path
) -> None:
    before = lived_in.read_bytes()

    apply(install(tmp_path, client), NOW)
    apply(install(tmp_path, client, "--workspace", "/srv/project"), NOW.replace(hour=4))
    assert lived_in.read_bytes().count(b"/srv/project") == 1
    assert lived_in.read_bytes().count(b"--stdio") == 1

    apply(uninstall(tmp_path, client), NOW)
    assert lived_in.read_bytes() == before


@pytest.mark.parametrize("client", CLIENTS)
def test_a_server_of_somebody_elses_with_our_name_is_left_alone(tmp_path: Path, client: Client, lived_in: Path) -> None:
    lived_in.write_text(lived_in.read_text().replace("zeta", "sandgate"))
    before = lived_in.read_bytes()

    for plan in (install, uninstall):
        with pytest.raises(NotOurs, match="not this program"):
            plan(tmp_path, client)
    assert lived_in.read_bytes() == before

    assert install(tmp_path, client, force=True).changes
    assert uninstall(tmp_path, client, force=True).changes


# --- whatever the client -----------------------------------------------------------------------------------------------


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
    assert plan.after is not None
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

    assert written.backup is not None
    assert written.backup.name.startswith("mcp.json.sandgate-20260504-030201-000000-")
    assert written.backup.parent == path.parent
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


def test_uninstalling_where_nothing_is_makes_no_file(tmp_path: Path) -> None:
    apply(uninstall(tmp_path), NOW)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{ mine\n}", "cannot be understood"),
        ('{"a": 1, "a": 2}', "occurs twice"),
        ("[]", "does not hold a JSON object"),
        ('{"mcpServers": []}', "does not hold servers"),
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
    cursor(tmp_path, "{ mine }")

    with pytest.raises(NotOurs, match=r'add this to \'mcpServers\' by hand: \{"sandgate": \{"command": '):
        install(tmp_path)
    with pytest.raises(NotOurs, match=r"remove 'sandgate' from 'mcpServers' by hand"):
        uninstall(tmp_path)


def test_without_the_backups_only_ours_goes(tmp_path: Path) -> None:
    path = cursor(tmp_path, '{"mcpServers": {"other": {}}}')
    written = apply(install(tmp_path), NOW)
    assert written.backup is not None
    written.backup.unlink()

    apply(uninstall(tmp_path), NOW)

    assert content(path) == {"mcpServers": {"other": {}}}


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


def test_what_a_client_writes_while_the_new_file_is_made_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = cursor(tmp_path, "{}")
    plan = install(tmp_path)
    monkeypatch.setattr(os, "fsync", lambda _: path.write_text('{"theme": "dark"}'))

    with pytest.raises(NotOurs, match="run the command again"):
        apply(plan, NOW)

    assert path.read_text() == '{"theme": "dark"}'


def test_a_write_that_fails_leaves_the_old_file_and_no_scraps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = cursor(tmp_path, "{}")
    plan = install(tmp_path)

    def no_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_disk)
    with pytest.raises(NotOurs, match=r"mcp.json cannot be written \(No space left on device\); nothing in it was"):
        apply(plan, NOW)

    assert path.read_text() == "{}"
    assert [each.suffix for each in sorted(path.parent.iterdir())] == [".json", ".bak"]
