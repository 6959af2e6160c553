import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from mitmproxy.flow import Error
from mitmproxy.test import tflow

from egress.closed import Gone, every_hook_fails_closed
from egress.destination import Destination
from egress.gate import Gate
from egress.journal import Journal
from egress.refusal import Refused


class Hooks:
    def __init__(self) -> None:
        self.cuts: list[tuple[Any, str]] = []

    def requestheaders(self, flow: Any) -> None:
        raise RuntimeError("on purpose")

    async def server_connect(self, data: Any) -> None:
        raise RuntimeError("on purpose")

    def not_a_hook(self, data: Any) -> None:
        raise RuntimeError("on purpose")

    def cut(self, data: Any, hook: str) -> None:
        self.cuts.append((data, hook))
        if data == "nobody can":
            raise RuntimeError("on purpose too")


Closed = every_hook_fails_closed(type("Closed", (), dict(vars(Hooks))))


@pytest.mark.promise("egress.start_refused")
def test_a_hook_that_fails_cuts_what_it_was_asked_about() -> None:
    addon: Any = Closed()
    addon.requestheaders("flow")
    asyncio.run(addon.server_connect("data"))

    assert addon.cuts == [("flow", "requestheaders"), ("data", "server_connect")]
    with pytest.raises(RuntimeError):
        addon.not_a_hook("data")


@pytest.mark.promise("egress.start_refused")
def test_where_cutting_fails_too_the_flow_is_killed() -> None:
    class Stubborn(Hooks):
        def cut(self, data: Any, hook: str) -> None:
            raise RuntimeError("on purpose too")

    stubborn: Any = every_hook_fails_closed(type("Stubborn", (), {**vars(Hooks), "cut": Stubborn.cut}))()
    flow, dial = SimpleNamespace(error=None), SimpleNamespace(server=SimpleNamespace(error=None))
    stubborn.requestheaders(flow)
    asyncio.run(stubborn.server_connect(dial))

    assert str(flow.error) == str(dial.server.error) == Error.KILLED_MESSAGE


@pytest.mark.promise("egress.start_refused")
def test_what_was_about_a_connection_that_is_gone_is_cut_as_well_and_nothing_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Late(Hooks):
        def requestheaders(self, flow: Any) -> None:
            raise Gone

    late: Any = every_hook_fails_closed(type("Late", (), {**vars(Hooks), "requestheaders": Late.requestheaders}))()
    late.requestheaders("flow")

    assert late.cuts == [("flow", "requestheaders")]
    assert caplog.records == []


@pytest.mark.promise("egress.only_gate")
def test_a_connection_that_came_through_no_door_is_cut() -> None:
    client = tflow.tclient_conn()

    Gate(Journal(lambda _: None)).client_connected(client)

    assert client.error == "nobody opened this door"


@pytest.mark.promise("egress.only_gate")
def test_a_connection_that_no_request_asked_for_is_not_dialled() -> None:
    idle: Any = SimpleNamespace(line=SimpleNamespace(flights={}))

    with pytest.raises(Refused, match="No request asked for this connection"):
        asyncio.run(Gate(Journal(lambda _: None))._aim(idle, Destination("a.test", 443)))
