"""How one caller's calls fare while another calls as fast as it can. The figures are printed; a shared machine is no judge
of them, so what is asserted is only that nobody but the flood was refused."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from mcp import Client

from tests.end_to_end.http_rig import ANN, BOB, HttpServer, serving, streamable, tokens
from tests.end_to_end.rig import Home, text_of

pytestmark = [pytest.mark.anyio, pytest.mark.soak, pytest.mark.timeout(900)]

CALLS = 100
EVERY_S = 0.05
WORKERS = 200  # more than run and wait


@pytest.fixture
def server(folder: Path) -> Iterator[HttpServer]:
    with serving(Home(folder, tokens(ann=ANN, bob=BOB))) as made:
        yield made


async def _times(client: Client) -> list[float]:
    """Of calls at an even pace, in milliseconds, sorted."""
    taken = []
    for _ in range(CALLS):
        began = time.perf_counter()
        result = await client.call_tool("exec", {"argv": ["true"], "session": "quiet"})
        taken.append((time.perf_counter() - began) * 1000)
        assert not result.is_error, text_of(result)
        await anyio.sleep(EVERY_S)
    return sorted(taken)


@pytest.mark.parametrize("tool", ["session_list", "policy_check", "exec"])
async def test_a_flood_of_one_caller_beside_another(server: HttpServer, tool: str) -> None:
    async with streamable(server, BOB) as bob:
        await bob.call_tool("session_open", {"session": "quiet"})
        calm = await _times(bob)
        seconds = CALLS * (EVERY_S + calm[-1] / 1000) * 2
        argv = [sys.executable, "-m", "tests.soak.flood", server.url, ANN, tool, str(WORKERS), str(seconds)]
        flooded = list[bytes]()

        async def flood() -> None:
            flooded.append((await anyio.run_process(argv)).stdout)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(flood)
            await anyio.sleep(3)  # it has begun
            beside = await _times(bob)
    told = json.loads(flooded[0])
    p50, p99 = CALLS // 2, CALLS * 99 // 100
    sys.stdout.write(
        f"\n{tool}: calm p50 {calm[p50]:.1f} p99 {calm[p99]:.1f} ms; beside the flood p50 {beside[p50]:.1f} "
        f"p99 {beside[p99]:.1f} ms, {beside[p99] / calm[p99]:.2f} times; the flood: {told}\n"
    )
    assert told["answered"] > 0
