"""Text alone for hosts that would show nothing else, in both eras; both forms for all others, and for errors."""

from typing import Annotated, Any

import pytest
from mcp import Client
from mcp.server import MCPServer
from mcp.types import CallToolResult, Implementation, TextContent

from server.front.host_shape import shape_for_host
from server.front.results import RunResult, failed, shaped

pytestmark = pytest.mark.anyio


async def run(fails: bool) -> Annotated[CallToolResult, RunResult]:  # noqa: FBT001 - a tool's argument
    result = RunResult(status="exited", decision_id="d-1", stdout="said").model_dump()
    return failed("no") if fails else shaped("said", result, "both")


def server() -> MCPServer[Any]:
    made = MCPServer[Any]("test", middleware=[shape_for_host])
    made.tool(structured_output=True)(run)
    return made


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize(("host", "both"), [("claude-code", False), ("cursor", True)])
async def test_a_host_gets_the_form_that_it_shows(host: str, both: bool, mode: Any) -> None:  # noqa: FBT001
    async with Client(server(), mode=mode, client_info=Implementation(name=host, version="1")) as client:
        result = await client.call_tool("run", {"fails": False})
        (tool,) = (await client.list_tools()).tools
        refused = await client.call_tool("run", {"fails": True})

    assert (result.structured_content is not None) is both
    assert (tool.output_schema is not None) is both
    assert isinstance(said := result.content[0], TextContent)
    assert said.text == "said"
    assert refused.is_error
