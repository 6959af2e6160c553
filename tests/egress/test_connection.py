"""The seams of mitmproxy that the gate leans on; these fail first when its version is raised."""

import asyncio
import inspect
from importlib.metadata import version

from mitmproxy.proxy.mode_servers import ProxyConnectionHandler
from mitmproxy.proxy.server import ConnectionHandler

from egress.connection import Connection, Upstream, _where
from egress.held import HELD_BYTES, Held
from egress.pressure import Pressure


def test_it_is_the_version_that_was_read() -> None:
    assert version("mitmproxy") == "12.2.3"


def test_the_handler_still_calls_what_is_overridden() -> None:
    source = inspect.getsource(ConnectionHandler)

    assert "await self.handle_hook(" in source
    assert "self.max_conns[command.connection.address]" in source
    assert source.index("ServerConnectedHook(hook_data)") < source.index(
        "await self.handle_connection(command.connection)"
    )
    assert "self.transports[connection].reader" in inspect.getsource(ConnectionHandler.handle_connection)
    assert "exc_info=True" in inspect.getsource(ConnectionHandler.server_event)
    assert issubclass(Connection, ProxyConnectionHandler)


def test_an_origin_may_not_send_a_head_without_end() -> None:
    class Endless:
        async def read(self, n: int) -> bytes:
            return bytes(n)

    async def read_all() -> int:
        upstream, got = Upstream(Endless(), Pressure(), lambda: 65536, Held(patience_s=0.01)), 0
        while data := await upstream.read(65_535):
            got += len(data)
        return got

    assert asyncio.run(read_all()) <= HELD_BYTES


def test_a_parser_that_gives_up_is_logged_by_its_place_and_not_by_what_it_read() -> None:
    try:
        int("Authorization: a-secret")
    except ValueError as error:
        told = [_where(True), _where((ValueError, error, error.__traceback__))]

    assert told[0] == told[1]
    assert told[0].startswith("ValueError in test_a_parser")
    assert "a-secret" not in told[0]
