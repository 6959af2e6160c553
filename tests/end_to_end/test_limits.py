"""Limits of a real server: what is refused is told with when to try again, and costs nobody else anything."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError

from tests.end_to_end.http_rig import ANN, BOB, HttpServer, serving, streamable, tokens
from tests.end_to_end.rig import Home, structured, text_of
from tests.waiting import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.promise("limits.fair")]

SETTINGS = """
environment = "base"
[limits]
concurrent = 2
queued = 1
queue_s = 1
[limits.tools.policy_check]
calls_per_second = 0.01
burst = 2
"""


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[HttpServer]:
    home = Home(folder, SETTINGS + tokens(ann=ANN, bob=BOB))
    with serving(home) as made:
        yield made
    home.remove_images()


async def refusal(client: Client, tool: str, **arguments: Any) -> MCPError:
    with pytest.raises(MCPError) as refused:
        await client.call_tool(tool, arguments)
    return refused.value


async def test_a_caller_that_runs_all_it_may_waits_behind_itself_and_another_does_not(server: HttpServer) -> None:
    begun = set[str]()

    async def sleep(client: Client, session: str) -> None:
        async def hear(progress: float, total: float | None, message: str | None) -> None:
            begun.add(session)

        call = {"command": "echo begun; sleep 60", "session": session}
        await client.call_tool("shell", call, progress_callback=hear)

    async with streamable(server, ANN) as ann, streamable(server, BOB) as bob, anyio.create_task_group() as tasks:
        for name in ("one", "two"):
            await ann.call_tool("session_open", {"session": name})
            tasks.start_soon(sleep, ann, name)
        await eventually(lambda: len(begun) == 2)
        refused = await refusal(ann, "session_list")
        ran = structured(await bob.call_tool("shell", {"command": "echo fine"}))
        for name in ("one", "two"):  # what ends things never waits behind what runs
            stopped = await ann.call_tool("job_stop", {"session": name, "signal": "KILL"})
            assert not stopped.is_error, text_of(stopped)

    assert "2 of your calls are running" in str(refused)
    assert refused.data["retry_after_s"] > 0
    assert ran["stdout"] == "fine\n"
    (line,) = [line for line in server.home.audit("limit.refused") if line["tool"] == "session_list"]
    assert (line["refusals"], line["caller"].endswith("ann")) == (1, True)


async def test_a_tool_has_a_pace_of_its_own(server: HttpServer) -> None:
    async with streamable(server, BOB) as bob:
        for _ in range(2):
            await bob.call_tool("policy_check", {"command": "ls"})
        refused = await refusal(bob, "policy_check", command="ls")
        assert not (await bob.call_tool("session_list", {})).is_error

    assert "faster than allowed" in str(refused)
    assert 0 < refused.data["retry_after_s"] <= 100
