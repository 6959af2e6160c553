import sys
from pathlib import Path

import pytest

from server.app import App
from server.front.mcp_server import build, front_of
from server.page_door import PageDoor
from server.record.metrics import Metrics, Standing
from server.settings.settings import Settings
from tests.fake_gateway import gateway
from tests.fakes import (
    snapshots,
)


async def nothing() -> None: ...


async def standing() -> Standing:
    return Standing()


def app_in(tmp_path: Path) -> App:
    return App(
        gateway=gateway(tmp_path),
        settings=Settings(environment="base"),
        snapshots=snapshots(tmp_path),
        copying=lambda: None,
        close=nothing,
        note=lambda *_: None,
        tell_answers=lambda: None,
        standing=standing,
        running=lambda: 0,
        metrics=Metrics(),
        page=PageDoor(),
        reload=lambda: None,
    )


def test_the_server_says_who_it_is_and_where_commands_start(tmp_path: Path) -> None:
    app = app_in(tmp_path)
    server = build(app, front_of(app))

    assert server.name == "sandgate"
    assert server.version
    assert server.instructions is not None
    assert "Commands start in /workspace." in server.instructions
    assert len(server.instructions) < 2000


def test_no_start_waits_for_a_log_handler_that_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "rich.console", raising=False)
    app = app_in(tmp_path)

    build(app, front_of(app))

    assert "rich.console" not in sys.modules
