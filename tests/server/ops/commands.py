"""What the tests of commands share: a machine without settings, and the sentence with which a command fails."""

from pathlib import Path

import pytest

from server import cli, settings_files

type Said = pytest.CaptureFixture[str]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without settings and without an audit."""
    monkeypatch.setattr(settings_files, "SYSTEM", tmp_path / "etc.toml")
    monkeypatch.setattr(settings_files, "MANAGED", tmp_path / "managed.toml")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("SANDGATE_CONFIG", "SANDGATE_STATE_DIR", "SANDGATE_PROFILE", "SANDGATE_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def refused(capsys: Said, *argv: str) -> str:
    """The sentence with which a command fails."""
    assert cli.main(argv) == 1
    said = capsys.readouterr()
    assert said.err.startswith("sandgate: ")
    assert said.err.count("\n") == 1
    return said.err.removeprefix("sandgate: ").rstrip("\n")
