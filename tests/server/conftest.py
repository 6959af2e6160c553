from pathlib import Path

import pytest

from server.settings import files as settings_files


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without settings and without an audit."""
    (tmp_path / "etc").mkdir(mode=0o755)
    monkeypatch.setattr(settings_files, "SYSTEM", tmp_path / "etc/sandgate.toml")
    monkeypatch.setattr(settings_files, "MANAGED", tmp_path / "etc/managed.toml")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("SANDGATE_CONFIG", "SANDGATE_STATE_DIR", "SANDGATE_PROFILE", "SANDGATE_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path
