"""Which engine a server uses, and what it says where a client handed it none."""

from pathlib import Path

import pytest

from server.sandbox.engine import NoEngine
from server.settings.settings import Settings
from server.wiring import sandboxes
from tests.fake_engine import fake_engine


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A server in a home without an engine, started with next to no variables."""
    monkeypatch.setattr("server.sandbox.engine._SYSTEM_SOCKET", tmp_path / "none.sock")
    monkeypatch.setattr(sandboxes, "ENVIRON", {"HOME": str(tmp_path)})
    monkeypatch.setattr(sandboxes, "HOME", tmp_path)
    return Settings(state_dir=tmp_path / "state")


def test_a_server_whose_client_hands_nothing_down_says_what_to_hand_down(
    bare: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NoEngine, match=r"engine ensure.* put XDG_STATE_HOME or DOCKER_HOST into `env`"):
        sandboxes.engine_of(bare)()
    monkeypatch.setattr(sandboxes, "ENVIRON", {"XDG_STATE_HOME": "/elsewhere"})
    with pytest.raises(NoEngine) as told:
        sandboxes.engine_of(bare)()
    assert "`env`" not in str(told.value)


def test_the_engine_is_looked_for_each_time(bare: Settings) -> None:
    find = sandboxes.engine_of(bare)
    with fake_engine(bare.state_dir / "engine/docker.sock") as url:
        assert find() == url
    with pytest.raises(NoEngine):
        find()
