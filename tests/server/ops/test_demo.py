"""What the demo's server is started with; that the demo comes out as it says is tried by tests/end_to_end/test_wheel.py."""

from pathlib import Path

import pytest

from server.ops.demo import environment
from server.settings import Settings


def test_the_demo_comes_out_the_same_whatever_the_users_own_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDGATE_PROFILE", "strict")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/home/ann/.config")
    settings = Settings(state_dir=tmp_path / "state", runtime_dir=tmp_path / "run")

    environ = environment(settings, tmp_path)

    assert environ["XDG_CONFIG_HOME"] == str(tmp_path / "config")
    assert {name: value for name, value in environ.items() if name.startswith("SANDGATE_")} == {
        "SANDGATE_STATE_DIR": str(tmp_path / "state"),
        "SANDGATE_RUNTIME_DIR": str(tmp_path / "run"),
    }
