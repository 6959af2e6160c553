"""`sandgate init` with options, and as a person answers it at a terminal."""

import os
import pty
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from server import cli
from server.ops.init import filled
from server.sandbox.workspaces import BadWorkspace
from server.settings.settings import BadSettings, Settings
from server.settings.template import TEMPLATE
from tests.real_engine import engine_url
from tests.server.ops.commands import Said, refused

PROGRAM = str(Path(sys.executable).with_name("sandgate"))


@pytest.fixture(scope="module")
def engine() -> str:
    return engine_url()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    mine = tmp_path / "project"
    mine.mkdir()
    os.chown(mine, 1000, 1000) if os.geteuid() == 0 else None
    return mine


def chosen(text: str) -> Settings:
    return Settings.model_validate(tomllib.loads(text))


def lines_changed(text: str) -> list[str]:
    before = set(TEMPLATE.splitlines())
    return [line for line in text.splitlines() if line and line not in before]


def test_without_a_choice_every_line_is_a_default() -> None:
    assert filled(None, None, ()) == TEMPLATE


def test_what_is_chosen_stands_where_it_is_explained(folder: Path) -> None:
    text = filled("strict", str(folder), ("index.example.com", "*.example.org"))
    settings = chosen(text)

    assert settings.policy.profile == "strict"
    assert settings.egress.allow == ("index.example.com", "*.example.org")
    assert [(space.path, space.mode) for space in settings.workspace] == [(folder, "copy")]
    assert [line.split()[0] for line in lines_changed(text)] == ["profile", "allow", "[[workspace]]", "path", "mode"]
    assert "# open | standard | strict" in text
    assert chosen(TEMPLATE).policy.allow == settings.policy.allow == ()


@pytest.mark.parametrize("mode", ["rw", "ro"])
def test_a_folder_can_be_mounted(folder: Path, mode: str) -> None:
    assert chosen(filled(None, f"{folder}:{mode}", ())).workspace[0].mode == mode


def test_a_folder_that_no_server_would_lend_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(BadWorkspace):
        filled(None, "/", ())


def test_a_host_that_is_none_is_refused_with_a_sentence() -> None:
    with pytest.raises(BadSettings, match=r"what you chose: egress\.allow"):
        filled(None, None, ("not a host",))


def answered(home: Path, *answers: str) -> str:
    """What a terminal showed while these lines were typed."""
    main, terminal = pty.openpty()
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "GOPROXY": "https://proxy.example", "TERM": "dumb"}
    with subprocess.Popen([PROGRAM, "init"], env=environ, stdin=terminal, stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        os.write(main, "".join(f"{answer}\n" for answer in answers).encode())
        shown = b"".join(_read(main))
        assert process.wait(60) == 0, shown
    os.close(main)
    return shown.decode()


def _read(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            data = os.read(terminal, 4096)
        except OSError:  # the other end is closed: how a terminal ends
            return
        if not data:
            return
        yield data


def test_three_answers_at_a_terminal_make_a_file(tmp_path: Path, folder: Path) -> None:
    shown = answered(tmp_path, "open", f"{folder}:ro", "go, docs.example.com")
    settings = chosen((tmp_path / ".config/sandgate/sandgate.toml").read_text())

    assert "Profile" in shown
    assert "wrote" in shown
    assert settings.policy.profile == "open"
    assert settings.workspace[0].mode == "ro"
    assert settings.egress.allow == ("proxy.example", "docs.example.com")


def test_empty_answers_are_the_defaults(tmp_path: Path) -> None:
    answered(tmp_path, "", "", "")
    settings = chosen((tmp_path / ".config/sandgate/sandgate.toml").read_text())

    assert (settings.policy.profile, settings.workspace, settings.egress.allow) == ("standard", (), ())


def test_an_answer_that_will_not_do_is_asked_for_again_with_the_reason(tmp_path: Path, folder: Path) -> None:
    told = answered(tmp_path, "strict", f"{tmp_path}/nowhere", str(folder), "not~a~host", "docs.example.com")
    settings = chosen((tmp_path / ".config/sandgate/sandgate.toml").read_text())

    shown = " ".join(told.split())  # a terminal breaks lines where it likes
    assert "cannot be lent" in shown
    assert "'not~a~host' is not a host" in shown
    assert (settings.policy.profile, settings.egress.allow) == ("strict", ("docs.example.com",))
    assert settings.workspace[0].path == folder


def test_the_settings_are_written_once_for_their_owner_alone(
    capsys: Said, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{machine}/none.sock")
    path = machine / "config/sandgate/sandgate.toml"

    assert cli.main(["init"]) == 0

    said = capsys.readouterr().out
    assert str(path) in said
    assert said.endswith("next: sandgate images build, then sandgate install CLIENT\n")
    assert path.read_text() == TEMPLATE
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]
    path.write_text("# changed\n")
    assert f"{path} exists" in refused(capsys, "init")
    assert path.read_text() == "# changed\n"


@pytest.mark.usefixtures("machine")
def test_where_the_images_are_there_nobody_is_told_to_build_them(
    engine: str, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine)
    assert cli.main(["init"]) == 0
    assert capsys.readouterr().out.endswith("next: sandgate install CLIENT\n")


def test_printing_the_settings_writes_nothing(capsys: Said, machine: Path) -> None:
    assert cli.main(["init", "--print"]) == 0

    assert capsys.readouterr().out == TEMPLATE
    assert not (machine / "config").exists()
