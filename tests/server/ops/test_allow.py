"""What a person wrote stays, what no server would start with is not written."""

import os
import stat
import subprocess
import sys
import tomllib
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from egress.destination import why_private
from server import cli
from server.ops.allow import NEVER
from server.settings import files as settings_files
from server.settings.template import TEMPLATE
from tests.server.ops.commands import Said, refused

pytestmark = pytest.mark.usefixtures("machine")

PROGRAM = str(Path(sys.executable).with_name("sandgate"))
COMMENTED = """\
# mine
[policy]
profile = "open"  # for now

[[policy.paths]]
glob = "/workspace/secrets/**"
effect = "deny"

[egress]
allow = [
    "a.example",  # the mirror
    # later:
    {host = "b.example", methods = ["GET"]},
]
# end
"""


@pytest.fixture
def mine(machine: Path) -> Path:
    """The user's own file, in a folder that is there already."""
    path = machine / "config/sandgate/sandgate.toml"
    path.parent.mkdir(parents=True)
    return path


def read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text())


@pytest.mark.parametrize("argv", [["init"], ["allow", "ls"]], ids=" ".join)
def test_where_nothing_can_be_written_the_sentence_says_why(capsys: Said, machine: Path, argv: list[str]) -> None:
    (machine / "config").mkdir()
    (machine / "config/sandgate").write_text("a file in the folder's place")

    said = refused(capsys, *argv)

    assert "sandgate.toml" in said
    assert "nothing was changed" in said


@pytest.mark.parametrize(
    ("what", "table"),
    [
        ("example.com", "egress"),
        ("*.example.com", "egress"),
        ("example.com:8443", "egress"),
        ("9.9.9.9", "egress"),
        ("my_host.xn--p1ai", "egress"),
        ("git push", "policy"),
        ("make", "policy"),
        ("python3.13", "policy"),
        ("python3.13 -m", "policy"),
    ],
)
def test_a_host_goes_to_the_hosts_and_a_command_to_the_commands(
    capsys: Said, machine: Path, what: str, table: str
) -> None:
    assert cli.main(["allow", what]) == 0

    assert f"{what} ({machine}/config/sandgate/sandgate.toml, [{table}])" in capsys.readouterr().out
    assert read(machine / "config/sandgate/sandgate.toml") == {table: {"allow": [what]}}


def test_what_a_person_wrote_stays_as_it_is(mine: Path) -> None:
    mine.write_text(COMMENTED)
    mine.chmod(0o640)

    assert cli.main(["allow", "c.example"]) == 0
    assert cli.main(["allow", "git push"]) == 0

    lines = mine.read_text().splitlines()
    assert [line for line in COMMENTED.splitlines() if line not in lines] == []
    assert set(lines) - set(COMMENTED.splitlines()) == {'    "git push",', '    "c.example",'}
    assert read(mine)["egress"]["allow"] == ["a.example", {"host": "b.example", "methods": ["GET"]}, "c.example"]
    assert read(mine)["policy"]["allow"] == ["git push"]
    assert read(mine)["policy"]["paths"] == [{"glob": "/workspace/secrets/**", "effect": "deny"}]
    assert stat.S_IMODE(mine.stat().st_mode) == 0o640


@pytest.mark.parametrize(
    "text",
    [
        TEMPLATE,
        'egress = {mode = "learn"}\npolicy = {}\n',
        'egress.mode = "learn"\npolicy.allow = []  # none\n',
        '[egress.resolve]\n"a.example" = "1.2.3.4"\n[[policy.paths]]\nglob = "/a"\neffect = "deny"\n',
        '[egress]\nmode = "learn"\n[sandbox]\ncpus = 1\n[egress.resolve]\n"a.example" = "1.2.3.4"\n',
        "[policy]",
        "# only a comment",
    ],
    ids=["template", "inline", "dotted", "subtables", "apart", "no newline", "comment"],
)
def test_every_way_to_write_a_table_is_understood(mine: Path, text: str) -> None:
    mine.write_text(text)

    assert cli.main(["allow", "example.com"]) == 0
    assert cli.main(["allow", "git push"]) == 0

    found = settings_files.load()
    assert (found.egress.allow, found.policy.allow) == (("example.com",), ("git push",))
    assert [line for line in text.splitlines() if "#" in line and line.split("#")[1] not in mine.read_text()] == []


def test_the_ends_of_lines_stay_as_they_are(mine: Path) -> None:
    mine.write_bytes(b'[egress]\r\nallow = ["a.example"]\r\n# end\r\n')

    assert cli.main(["allow", "b.example"]) == 0

    assert mine.read_bytes().startswith(b"[egress]\r\n")
    assert mine.read_bytes().endswith(b"\r\n# end\r\n")


def test_a_link_into_somebodys_dotfiles_stays_a_link(machine: Path, mine: Path) -> None:
    (machine / "dotfiles").mkdir()
    (machine / "dotfiles/sandgate.toml").write_text(COMMENTED)
    mine.symlink_to(machine / "dotfiles/sandgate.toml")

    assert cli.main(["allow", "ls"]) == 0

    assert mine.is_symlink()
    assert read(machine / "dotfiles/sandgate.toml")["policy"]["allow"] == ["ls"]


@pytest.mark.parametrize("what", ["10.0.0.1", "192.168.1.5:8443", "127.0.0.1", "tcp://172.16.0.9:80"])
def test_an_address_that_no_sandbox_reaches_is_not_allowed_for_show(capsys: Said, mine: Path, what: str) -> None:
    said = refused(capsys, "allow", what)
    address = what.removeprefix("tcp://").partition(":")[0]
    assert f'networks = ["{address}/32"]' in said
    assert not mine.exists()

    mine.write_text(f'[egress]\nnetworks = ["{address}/32"]\n')
    assert cli.main(["allow", what]) == 0
    assert read(mine)["egress"]["allow"] == [what]


@pytest.mark.parametrize("network", NEVER, ids=str)
def test_an_address_that_no_setting_opens_is_refused_as_the_gate_refuses_it(
    capsys: Said, mine: Path, network: IPv4Network
) -> None:
    for address in {network[0], network[-1]}:
        assert why_private(address, (IPv4Network("0.0.0.0/0"),)) is not None
        said = refused(capsys, "allow", str(address))
        assert "whatever is allowed" in said
        assert "networks = " not in said
    assert not mine.exists()


def test_one_that_stands_in_the_file_and_is_out_of_reach_is_not_called_allowed(capsys: Said, mine: Path) -> None:
    mine.write_text('[egress]\nallow = ["10.0.0.1"]\n')
    assert "out of reach" in refused(capsys, "allow", "10.0.0.1")


@pytest.mark.parametrize("what", ["example.com", "git push"])
def test_what_is_allowed_already_changes_nothing(capsys: Said, machine: Path, what: str) -> None:
    assert cli.main(["allow", what]) == 0
    path = machine / "config/sandgate/sandgate.toml"
    before = (path.read_bytes(), path.stat().st_ino, path.stat().st_mtime_ns)

    assert cli.main(["allow", f"  {what.replace(' ', '  ')} "]) == 0

    assert "allowed already" in capsys.readouterr().out
    assert (path.read_bytes(), path.stat().st_ino, path.stat().st_mtime_ns) == before


@pytest.mark.parametrize(
    "broken",
    [
        b"[egress\nallow = []\n",
        b"\xff\xfe",
        b"egress = 3\n",
        b'[egress]\nallow = "a.example"\n',
        b'[egres]\nallow = ["a.example"]\n',
        b"[policy]\n[policy]\n",
    ],
    ids=["no TOML", "no text", "no table", "no list", "no setting", "twice"],
)
@pytest.mark.parametrize("what", ["example.com", "git push"])
def test_a_broken_file_is_one_sentence_and_stays_untouched(capsys: Said, mine: Path, broken: bytes, what: str) -> None:
    mine.write_bytes(broken)

    assert str(mine) in refused(capsys, "allow", what)

    assert mine.read_bytes() == broken
    assert list(mine.parent.iterdir()) == [mine]


@pytest.mark.parametrize(
    "what",
    [
        "",
        "https://example.com/",
        "*.com",
        "*",
        "a.*.example",
        "example.com:0",
        "example.com:65536",
        "example.com/path",
        "999.1.1.1:80",
        "$x",
        "FOO=1 make",
        "a;b",
    ],
)
def test_what_no_server_would_start_with_is_not_written(capsys: Said, mine: Path, what: str) -> None:
    mine.write_text(COMMENTED)

    assert "is neither a host" in refused(capsys, "allow", "--", what)

    assert mine.read_text() == COMMENTED


@pytest.mark.parametrize(("what", "table"), [("example.com", "egress"), ("git push", "policy")])
def test_where_another_file_has_the_last_word_that_is_said(capsys: Said, machine: Path, what: str, table: str) -> None:
    (machine / "etc/managed.toml").write_text(f"[{table}]\nallow = []\n")

    for _ in range(2):
        assert f"[{table}].allow" in refused(capsys, "allow", what)
        assert settings_files.load().egress.allow == settings_files.load().policy.allow == ()


def test_the_real_program_writes_below_the_home_it_is_given(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    for argv in (["init"], ["allow", "example.com"]):
        subprocess.run([PROGRAM, *argv], env=environ, capture_output=True, check=True, timeout=60)

    assert read(tmp_path / ".config/sandgate/sandgate.toml")["egress"]["allow"] == ["example.com"]


@pytest.mark.parametrize("what", ["sudo", "rm -rf /", "git push --force"])
def test_what_a_rule_denies_is_not_written_because_no_list_lifts_it(capsys: Said, mine: Path, what: str) -> None:
    assert "no list lifts" in refused(capsys, "allow", what)
    assert not mine.exists()


def test_a_preset_writes_the_hosts_that_it_stands_for(
    machine: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOPROXY", "https://proxy.example,https://more.example")

    assert cli.main(["allow", "preset:go"]) == 0
    assert cli.main(["allow", "preset:brew"]) != 0

    listed = read(machine / "config/sandgate/sandgate.toml")["egress"]["allow"]
    assert listed == ["proxy.example", "more.example"]
    assert "there are: apt" in capsys.readouterr().err
