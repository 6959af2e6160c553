import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from mcp.server import MCPServer
from mcp.types import Tool

from server.asks import Caller
from server.front.front import Front
from server.front.results import Shape
from server.front.tools import offered
from server.settings.settings import ALL_GROUPS, ToolGroup
from tests.fake_gateway import gateway
from tests.fakes import (
    snapshots,
)

pytestmark = pytest.mark.anyio


async def listed(folder: Path, groups: tuple[ToolGroup, ...] = ALL_GROUPS, shape: Shape = "both") -> list[Tool]:
    front = Front(gateway(folder), lambda: Caller("ann"), "base", shape, snapshots(folder))
    return await MCPServer[None]("test", tools=offered(front, groups)).list_tools()


async def test_groups_choose_tools_and_keep_their_order(tmp_path: Path) -> None:
    assert [tool.name for tool in await listed(tmp_path, ("jobs", "shell"))] == [
        "shell",
        "exec",
        "job_output",
        "job_input",
        "job_stop",
    ]


async def test_every_schema_is_flat(tmp_path: Path) -> None:
    for tool in await listed(tmp_path):
        schema = json.dumps([tool.input_schema, tool.output_schema])
        assert not any(word in schema for word in ("$ref", "$defs", "anyOf", "oneOf", "allOf")), tool.name
        assert tool.input_schema["type"] == "object"


async def test_the_listing_stays_small_enough_for_every_host(tmp_path: Path) -> None:
    tools = await listed(tmp_path)

    assert len(tools) <= 15
    text = json.dumps([tool.model_dump(mode="json", exclude_none=True) for tool in tools])
    assert len(text) < 15_000
    assert '"title"' not in text


async def test_a_default_that_is_listed_is_of_the_type_that_is_listed(tmp_path: Path) -> None:
    for tool in await listed(tmp_path):
        for schema in tool.input_schema["properties"].values():
            if "default" in schema:
                Draft202012Validator(schema).validate(schema["default"])


async def test_every_tool_sets_all_four_annotations_and_a_name_that_all_hosts_take(tmp_path: Path) -> None:
    for tool in await listed(tmp_path):
        assert re.fullmatch(r"[a-z_]{1,40}", tool.name)
        assert tool.annotations is not None
        assert None not in (
            tool.annotations.read_only_hint,
            tool.annotations.destructive_hint,
            tool.annotations.idempotent_hint,
            tool.annotations.open_world_hint,
        )


async def test_without_structured_results_no_output_schema_is_listed(tmp_path: Path) -> None:
    assert {tool.name for tool in await listed(tmp_path) if tool.output_schema} == {"shell", "exec"}
    assert not any(tool.output_schema for tool in await listed(tmp_path, shape="text"))
