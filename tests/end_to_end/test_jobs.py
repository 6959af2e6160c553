"""Jobs as a client sees them: read on from any byte of either stream, followed while they say nothing, there after a loss."""

import base64
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from mcp import Client, MCPError

from tests.end_to_end.http_rig import ANN, BOB, HttpServer, serving, streamable, tokens
from tests.end_to_end.rig import Home, called, heard_while_it_runs, structured, text_from

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("work"), pytest.mark.promise("result.truthful")]

CARL = "sgt_carl-0123456789abcdef"
BYTES = bytes(range(256)) * 40
SAYS = (
    "python3 -c 'import sys; b = bytes(range(256)) * 40; sys.stdout.buffer.write(b); sys.stderr.buffer.write(b[::-1])'"
)


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[HttpServer]:
    settings = 'environment = "base"\n[limits]\nsessions = 2\n[sandbox]\nidle = 0\n'
    home = Home(folder, settings + tokens(ann=ANN, bob=BOB, carl=CARL))
    with serving(home) as made:
        yield made
    home.remove_images()


@pytest.fixture(scope="module")
async def work(server: HttpServer, anyio_backend: str) -> str:
    """Ann's session, for all tests here."""
    async with streamable(server, ANN) as client:
        await called(client, "session_open", session="work")
    return "work"


async def read(client: Client, job: str, **asked: object) -> bytes:
    """The bytes of one answer: what stands before the status line."""
    text = await text_from(client, "job_output", job=job, session="work", encoding="base64", **asked)
    return base64.b64decode(text.partition("\n")[0])


@pytest.mark.parametrize(("tool", "asked"), [("shell", {"command": "echo begun; sleep 60"}), ("exec", {"argv": ["sleep", "60"]})])  # fmt: skip
async def test_what_goes_on_after_the_wait_is_a_job(server: HttpServer, tool: str, asked: dict[str, object]) -> None:
    async with streamable(server, ANN) as client:
        with anyio.fail_after(30):
            told = structured(await called(client, tool, session="work", wait_s=0.5, **asked))
        stopped = await text_from(client, "job_stop", job=told["job"], session="work", signal="TERM")

    assert (told["status"], told["exit_code"]) == ("running", None)
    assert stopped == f"job {told['job']}: killed (job_stop)"


async def test_either_stream_is_read_byte_for_byte_from_any_offset(server: HttpServer) -> None:
    async with streamable(server, ANN) as client:
        told = structured(await called(client, "shell", command=SAYS, session="work"))
        job = told["job"]
        for stream, expected in (("stdout", BYTES), ("stderr", BYTES[::-1])):
            for offset, limit in ((0, 300), (255, 3), (5_000, 1_000), (len(expected) - 7, 100)):
                found = await read(client, job, stream=stream, offset=offset, limit=limit)
                assert found == expected[offset : offset + limit]
            past = await text_from(client, "job_output", job=job, session="work", stream=stream, offset=1 << 50)
            assert "exited with 0" in past

    assert (told["stdout_bytes"], told["stderr_bytes"]) == (len(BYTES), len(BYTES))
    (ended,) = [line for line in server.home.audit("sandbox.job_ended") if line["decision_id"] == told["decision_id"]]
    assert ended["cpu_s"] > 0
    assert ended["peak_memory_kb"] > 4_000  # an interpreter's


async def test_a_quiet_command_is_heard_of_while_it_is_waited_for(server: HttpServer) -> None:
    async with streamable(server, ANN) as client:
        assert await heard_while_it_runs(client, "true", "still running", session="work") == "heard\n"


async def test_a_job_goes_on_without_the_client_that_started_it_and_the_next_one_reads_and_writes_it(
    server: HttpServer,
) -> None:
    async with streamable(server, ANN) as client:
        script = "echo first; read -r line; echo heard $line"
        job = structured(await called(client, "shell", command=script, session="work", background=True))["job"]
    async with streamable(server, ANN) as again:
        await called(again, "job_input", job=job, session="work", text="you\n")
        with anyio.fail_after(30):
            offset, text = 6, ""
            while "heard you\n" not in text:
                text = await text_from(again, "job_output", job=job, session="work", offset=offset, wait_s=10)


async def test_where_every_place_is_taken_the_refusal_says_when_to_try_again(server: HttpServer) -> None:
    async with streamable(server, ANN) as ann, streamable(server, BOB) as bob, streamable(server, CARL) as carl:
        await called(ann, "shell", command="sleep 60", session="work", background=True)
        await called(bob, "session_open", session="work")
        await called(bob, "shell", command="sleep 60", session="work", background=True)
        refused = await first_refusal(carl, bob)

        assert "2 sandboxes are in use, as many as allowed" in str(refused)
        assert refused.error.data["retry_after_s"] >= 1
        await called(bob, "session_close", session="work")
        assert structured(await called(carl, "shell", command="echo in"))["stdout"] == "in\n"


async def first_refusal(*clients: Client) -> MCPError:
    """Of those that want a place at once: as many may wait as there are places, and one more is told so."""
    found: list[MCPError] = []

    async def want(client: Client, name: str) -> None:
        with pytest.raises(MCPError) as refused:
            await client.call_tool("session_open", {"session": name})
        found.append(refused.value)
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        for client in clients:
            for name in ("one", "two"):
                tasks.start_soon(want, client, name)
    return found[0]
