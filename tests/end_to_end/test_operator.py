"""What an operator sees and ends at the command line while servers run: sessions, whoever's they are."""

import json
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio.to_thread
import pytest
from mcp import Client

from server.sandbox.frames import address
from tests.end_to_end.rig import PROGRAM, Home, called, structured

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def home(folder: Path) -> Home:
    return Home(folder)


async def sandgate(home: Home, *argv: str, code: int = 0) -> str:
    ran = await anyio.to_thread.run_sync(
        lambda: subprocess.run([PROGRAM, *argv], env=home.environ, capture_output=True, text=True, check=False)
    )
    assert ran.returncode == code, ran.stderr
    return ran.stdout + ran.stderr


async def test_open_sessions_are_listed_with_what_runs_and_one_is_closed(home: Home, client: Client) -> None:
    assert "no session is open" in await sandgate(home, "sessions", "list")
    await client.call_tool("shell", {"command": "sleep 300", "session": "work", "wait_s": 0})

    (shown,) = json.loads(await sandgate(home, "sessions", "list", "--json"))
    assert (shown["session"], shown["owner"], shown["state"], len(shown["jobs"])) == ("work", "local", "live", 1)
    assert "work" in await sandgate(home, "sessions", "list")

    assert "closed work of local" in await sandgate(home, "sessions", "close", "work")
    assert structured(await client.call_tool("session_list", {}))["sessions"] == []
    assert [line["session"] for line in home.audit("session.closed_by_operator")] == ["work"]
    assert "no server of yours runs with a session" in await sandgate(home, "sessions", "close", "work", code=1)


async def test_a_server_that_just_ends_hides_no_other(home: Home, client: Client) -> None:
    await called(client, "session_open", session="beside")
    ending = home.folder / "run/0"
    ending.mkdir()

    def end() -> None:
        with listener.accept()[0] as asks:
            asks.recv(1 << 16)

    with socket.socket(socket.AF_UNIX) as listener, ThreadPoolExecutor(1) as pool:
        listener.bind(address(ending))
        listener.listen()
        pool.submit(end)

        assert "beside" in await sandgate(home, "sessions", "list")
    await called(client, "session_close", session="beside")
