"""Many sessions, random deaths: afterwards the engine, the file system and the process table are as before."""

import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from server.record.audit import verify
from tests.end_to_end.rig import Home, connected, until
from tests.real_engine import client as docker_client

pytestmark = [pytest.mark.soak, pytest.mark.anyio, pytest.mark.promise("nothing.left")]

SESSIONS, CALLS, AT_ONCE = 20, 2000, 8


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def home() -> Iterator[Home]:
    folder = Path(tempfile.mkdtemp(prefix="sg"))
    yield Home(folder, settings="[sandbox]\ngrace_s = 3\nmemory_mb = 256\n[limits]\nconcurrent = 64\n")
    shutil.rmtree(folder, ignore_errors=True)


async def one_call(client: Client, dice: random.Random, name: str) -> str:
    """One thing an agent does; what matters is that it is answered, and how."""
    choices: list[tuple[str, dict[str, Any]]] = [
        ("shell", {"command": "echo x > f; cat f; sleep 0.05"}),
        ("shell", {"command": "sleep 30 & sleep 30", "timeout_s": 0.3}),
        ("shell", {"command": "sleep 60", "background": True}),
        ("shell", {"command": "python3 -c 'x = bytearray(1 << 30)'"}),
        ("shell", {"command": "head -c 3000000 /dev/zero | tr '\\0' x"}),
        ("shell", {"command": "sudo id"}),
        ("file_write", {"path": "a/b.txt", "content": "y" * 1000}),
        ("file_read", {"path": "a/b.txt"}),
        ("session_close", {}),
    ]
    tool, arguments = dice.choice(choices)
    result = await client.call_tool(tool, {**arguments, "session": name})
    return f"{tool} {'error' if result.is_error else 'fine'}"


async def kill_a_container(home: Home, dice: random.Random) -> None:
    def kill() -> None:
        with docker_client() as api:
            found = api.containers(filters={"label": f"sandgate.server={home.server_id}"})
            if found:
                api.remove_container(dice.choice(found)["Id"], force=True)

    await anyio.to_thread.run_sync(kill)


@pytest.mark.timeout(1500)
async def test_two_thousand_calls_with_random_deaths_leave_nothing(home: Home) -> None:
    dice = random.Random(7)
    answers: dict[str, int] = {}
    async with connected(home) as client:

        async def worker(number: int) -> None:
            for _ in range(CALLS // AT_ONCE):
                answer = await one_call(client, dice, f"s{dice.randrange(SESSIONS)}")
                answers[answer] = answers.get(answer, 0) + 1
                if dice.random() < 0.01:
                    await kill_a_container(home, dice)

        async with anyio.create_task_group() as tasks:
            for number in range(AT_ONCE):
                tasks.start_soon(worker, number)
    assert sum(answers.values()) == CALLS
    assert answers["shell fine"] > CALLS // 4
    until(home.nothing_is_left, "something is left", 30)
    verify(home.folder / "state/audit/audit.jsonl")
