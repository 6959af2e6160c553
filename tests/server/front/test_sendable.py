"""Nothing that a sandbox's files are called or hold keeps an answer from being written."""

from typing import Any

import pytest
from mcp import Client
from mcp.server import MCPServer
from mcp.types import CallToolResult

from server.front.results import plain
from server.front.sendable import only_sendable, sendable
from tests.end_to_end.rig import text_of

pytestmark = pytest.mark.anyio


def test_half_characters_are_replaced_at_any_depth_and_all_else_stays() -> None:
    given = {"a": "caf\udce9", "b": [{"c": "\ud800 \U0001f600 é"}, 1, None, True], "d": "plain"}

    assert sendable(given) == {"a": "caf\ufffd", "b": [{"c": "\ufffd \U0001f600 é"}, 1, None, True], "d": "plain"}


async def test_an_answer_with_bytes_that_are_no_text_arrives_and_the_server_goes_on() -> None:
    server = MCPServer[Any]("test", middleware=[only_sendable])

    async def name() -> CallToolResult:
        return plain("caf\udce9")

    server.tool()(name)
    async with Client(server, mode="legacy") as client:
        assert text_of(await client.call_tool("name", {})) == "caf\ufffd"
        assert (await client.list_tools()).tools
