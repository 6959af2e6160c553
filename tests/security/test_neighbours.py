"""Whatever one session's command does to the machine, another session's calls are answered and the server stays small."""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from tests.end_to_end.rig import Home, called, connected, structured, text_of

pytestmark = [pytest.mark.anyio, pytest.mark.promise("sandbox.survives"), pytest.mark.timeout(300)]

MIB = 1 << 20
SETTINGS = "[sandbox]\nmemory_mb = 256\ndisk_mb = 256\npids = 128\n[limits]\ncalls_per_second = 1000\nburst = 1000\n"
SETTINGS += "[policy]\nprofile = 'open'\n"  # the policy would refuse the bombs that it can read
MOST_GROWTH_BYTES = 50 * MIB  # of the server, over all of this
MOST_KEPT_BYTES = 256 * MIB + 8 * MIB  # of one session's output; each stream's ends are kept beyond it

FILES = "import os\nos.mkdir('many')\nfor n in range(100_000): os.close(os.open(f'many/{n}', os.O_CREAT))"
STORMS = {
    "fork bomb": ("bomb() { bomb | bomb & }; bomb; sleep 60", 4, {"timed_out"}),
    "busy loops": ("for i in $(seq 60); do while :; do :; done & done; sleep 60", 4, {"timed_out"}),
    "memory bomb": ("exec python3 -c 'x = bytearray(4 << 30)'", 60, {"out_of_memory"}),
    "disk filler": ("while head -c 20000000 /dev/zero >> full; do :; done", 60, {"disk_full"}),
    "a flood of output": ("exec yes", 6, {"timed_out"}),
    "a minute of it": ("yes", 60, {"timed_out"}),
    "a flood without lines": ("exec cat /dev/zero", 4, {"timed_out"}),
    "a hundred thousand files": (f'exec python3 -c "{FILES}"', 90, {"exited"}),
    "ten gigabytes of holes": ("truncate -s 10G holes && dd if=/dev/zero of=holes bs=1M seek=10000 count=1", 60, {"exited"}),
}  # fmt: skip


@pytest.fixture(scope="module")
def home(folder: Path) -> Home:
    return Home(folder, settings=SETTINGS)


@pytest.fixture(scope="module")
async def client(home: Home, anyio_backend: str) -> AsyncGenerator[Client]:
    async with connected(home) as made:
        await answer(made, "exec", argv=["true"], session="neighbour")
        yield made


async def answer(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    return structured(await called(client, tool, **arguments))


def memory(home: Home, name: str) -> int:
    """Bytes of the server process: VmRSS now, VmHWM at its highest."""
    lines = Path(f"/proc/{home.pid_of('serve')}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(f"{name}:"))


LONG = "a minute of it"


@pytest.mark.parametrize(
    "storm", [*(storm for storm in STORMS if storm != LONG), pytest.param(LONG, marks=pytest.mark.soak)]
)
async def test_a_neighbour_does_not_notice(client: Client, home: Home, storm: str) -> None:
    script, timeout_s, ends = STORMS[storm]
    before = memory(home, "VmRSS")
    noisy = f"noisy-{[*STORMS].index(storm)}"  # one each: the last storm's processes may still be dying when the next begins
    answered = 0
    async with anyio.create_task_group() as tasks:
        over = anyio.Event()

        async def noise() -> None:
            started = await answer(client, "shell", command=script, timeout_s=timeout_s, session=noisy, max_chars=1000)
            if started["status"] == "running":
                await answer_to_its_end(client, noisy, started["job"])
            else:
                assert started["status"] in ends, started
            over.set()

        tasks.start_soon(noise)
        while not over.is_set():
            with anyio.fail_after(60):
                said = await answer(client, "exec", argv=["echo", str(answered)], session="neighbour")
            assert (said["status"], said["stdout"]) == ("exited", f"{answered}\n")
            answered += 1
            await anyio.sleep(0.1)  # it is to notice nothing, and not to be a storm itself

    assert answered
    assert memory(home, "VmHWM") <= before + MOST_GROWTH_BYTES
    assert (await answer(client, "exec", argv=["echo", "here"], session=noisy))["stdout"] == "here\n"
    await called(client, "session_close", session=noisy)


async def answer_to_its_end(client: Client, session: str, job: str) -> None:
    with anyio.fail_after(120):
        while f"job {job} running" in text_of(
            await client.call_tool("job_output", {"job": job, "session": session, "offset": 1 << 60, "wait_s": 10})
        ):
            """It goes on."""


def kept(home: Home) -> list[int]:
    """Bytes of output on the server's disk, session by session."""
    sizes = Counter[Path]()
    for path in (home.folder / "state/jobs").rglob("*"):
        with suppress(FileNotFoundError):  # of a session that was closed just now
            sizes[path.parent] += path.stat().st_size if path.is_file() else 0
    return list(sizes.values())


async def test_a_sessions_output_is_bounded_and_says_what_it_dropped(client: Client, home: Home) -> None:
    jobs = [
        await answer(client, "shell", command=f"echo first {n}; head -c 60000000 /dev/zero; echo; echo last {n}", session="loud", max_chars=200)
        for n in range(12)
    ]  # fmt: skip
    assert max(kept(home)) <= MOST_KEPT_BYTES

    for number, job in enumerate(jobs):
        head, tail = job["stdout"].partition("\n")[0], job["stdout"].rstrip("\n").rpartition("\n")[2]
        assert (head, tail) == (f"first {number}", f"last {number}")
        middle = await client.call_tool(
            "job_output", {"job": job["job"], "session": "loud", "offset": 30_000_000, "limit": 10}
        )
        assert "bytes before this were not kept" in text_of(middle)
