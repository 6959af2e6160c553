from pathlib import Path

from server.app import App
from server.front.mcp_server import build, front_of
from server.page_door import PageDoor
from server.record.metrics import Metrics, Standing
from server.settings import Settings
from tests.fake_gateway import gateway
from tests.fakes import (
    snapshots,
)


async def nothing() -> None: ...


async def standing() -> Standing:
    return Standing()


def test_the_server_says_who_it_is_and_where_commands_start(tmp_path: Path) -> None:
    app = App(
        gateway=gateway(tmp_path),
        settings=Settings(environment="base"),
        snapshots=snapshots(tmp_path),
        copying=lambda: None,
        close=nothing,
        note=lambda *_: None,
        tell_answers=lambda: None,
        standing=standing,
        metrics=Metrics(),
        page=PageDoor(),
        reload=lambda: None,
    )
    server = build(app, front_of(app))

    assert server.name == "sandgate"
    assert server.version
    assert server.instructions is not None
    assert "Commands start in /workspace." in server.instructions
    assert len(server.instructions) < 2000
