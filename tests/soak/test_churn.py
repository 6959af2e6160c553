"""Many sessions, random deaths: afterwards the engine, the file system and the process table are as before."""

import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from mcp import Client, MCPError

from server.record.reading import verify
from tests.end_to_end.rig import Home, connected
from tests.real_engine import client as docker_client
from tests.real_engine import engine_url
from tests.soak.chaos import Chaos
from tests.soak.machine import Births, Engine, Machine

pytestmark = [pytest.mark.soak, pytest.mark.anyio, pytest.mark.promise("nothing.left")]

SESSIONS, CALLS, AT_ONCE, LIVES = 50, 5000, 8, 5  # lives: of the server; all but the last end by kill -9
MOST_S = 1800.0  # a slow machine makes fewer calls
STRIKE_EVERY_S = 1.0
SETTINGS = """\
[sandbox]
grace_s = 3
freeze_after_s = 2
park_after_s = 20
memory_mb = 256
disk_mb = 256
pids = 64
[limits]
concurrent = 64
calls_per_second = 1000
burst = 1000
[policy]
profile = "open"
"""
CHOICES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("exec", {"argv": ["true"]}),
    ("shell", {"command": "echo x > f; cat f; sleep 0.05"}),
    ("shell", {"command": "(setsid sleep 30 &); sleep 30 & sleep 30", "timeout_s": 0.3}),
    ("shell", {"command": "exec sleep 60", "background": True}),
    ("shell", {"command": "cat", "background": True}),
    ("shell", {"command": "exec python3 -c 'x = bytearray(1 << 30)'"}),
    ("shell", {"command": "head -c 3000000 /dev/zero | tr '\\0' x"}),
    ("shell", {"command": "b() { b | b & }; b; sleep 1", "timeout_s": 1}),
    ("shell", {"command": "head -c 30000000 /dev/zero > big; rm big"}),
    ("shell", {"command": "sudo id"}),
    ("job_output", {"wait_s": 0.1}),
    ("job_stop", {}),
    ("file_write", {"path": "a/b.txt", "content": "y" * 1000}),
    ("file_read", {"path": "a/b.txt"}),
    ("session_close", {}),
)


@pytest.fixture
def home(own_folder: Path) -> Home:
    (own_folder / "tmp").mkdir()
    return Home(own_folder, settings=SETTINGS, extra={"TMPDIR": str(own_folder / "tmp")})


async def one_call(client: Client, dice: random.Random) -> str:
    """One thing an agent does; what matters is that it is answered, and how."""
    tool, arguments = dice.choice(CHOICES)
    result = await client.call_tool(tool, {**arguments, "session": f"s{dice.randrange(SESSIONS)}"})
    status = (result.structured_content or {}).get("status", "")
    return f"{tool} {status or ('error' if result.is_error else 'fine')}"


async def strikes(chaos: Chaos) -> None:
    while True:
        await anyio.sleep(STRIKE_EVERY_S)
        await anyio.to_thread.run_sync(chaos.strike)


async def a_life(home: Home, chaos: Chaos, answers: Counter[str], calls: int, until_s: float, *, killed: bool) -> None:
    """One server's: that many calls by many at once, deaths meanwhile, and at last its own in the midst of calls."""
    async with connected(home) as client, anyio.create_task_group() as tasks:
        left, over = iter(range(calls)), anyio.Event()

        async def work() -> None:
            for _ in left:
                if time.monotonic() > until_s:
                    break
                try:
                    with anyio.fail_after(120):
                        answers[await one_call(client, chaos.dice)] += 1
                except MCPError:
                    assert over.is_set()
                    answers["lost with its server"] += 1
            if killed and not over.is_set():  # the first that has no more to do; the others still wait for an answer
                over.set()
                await anyio.to_thread.run_sync(chaos.server)

        async with anyio.create_task_group() as workers:
            tasks.start_soon(strikes, chaos)
            for _ in range(AT_ONCE):
                workers.start_soon(work)
        if killed:
            with pytest.raises(MCPError):
                await client.call_tool("shell", {"command": "true", "session": "s0"})
        else:  # an open session would be kept for the next server, and be right to
            for number in range(SESSIONS):
                await client.call_tool("session_close", {"session": f"s{number}"})
        tasks.cancel_scope.cancel()


@pytest.mark.timeout(2700)
async def test_thousands_of_calls_with_random_deaths_leave_nothing(home: Home) -> None:
    answers, began_s = Counter[str](), time.monotonic()
    until_s = began_s + MOST_S
    with docker_client() as api, Births().heard(docker_client) as born:
        engine, chaos = Engine.of(api, engine_url()), Chaos(api, home, random.Random(7))
        await a_life(home, chaos, Counter(), 20, until_s, killed=False)  # makes what stays: a key, a database, a volume
        await anyio.to_thread.run_sync(home.wait_until_nothing_is_left)
        engine.forget(chaos.shimless)
        before = Machine.look(engine, home, born.ids)
        for life in range(LIVES):
            await a_life(home, chaos, answers, CALLS // LIVES, until_s, killed=life < LIVES - 1)
        took_s = time.monotonic() - began_s
        print(f"{answers.total()} calls in {took_s:.0f} s: {dict(answers)}; deaths: {dict(chaos.dealt)}")  # noqa: T201 - a soak's report
        engine.forget(chaos.shimless)
        with anyio.move_on_after(60):
            while left := Machine.look(engine, home, born.ids).beyond(before):
                await anyio.sleep(0.5)

    assert left == ""
    assert answers.total() == CALLS or time.monotonic() > until_s
    assert answers["shell exited"] > answers.total() // 20
    assert all(chaos.dealt[kind] for kind in ("command", "agent", "container", "shim", "server"))
    verify(home.folder / "state/audit/audit.jsonl")
