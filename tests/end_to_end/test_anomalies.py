"""What is unusual, through real servers: each kind is recorded, and what follows is as the settings say."""

from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client

from tests.egress.world.certificates import FakeAuthority
from tests.end_to_end.http_rig import ANN, cli, serving, tokens
from tests.end_to_end.rig import Home, believed, connected, structured, text_of
from tests.loopback_http import Asked, answering
from tests.waiting import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.promise("anomaly.held")]

HOST = "takes.test"
BASE = 'environment = "base"\n[anomalies]\n'


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error, text_of(result)
    return text_of(result)


async def test_a_burst_of_denials_freezes_the_session_until_a_person_releases_it(folder: Path) -> None:
    home = Home(folder / "denials", f'{BASE}denials = {{count = 3, effect = "freeze"}}\n')
    home.folder.mkdir()
    async with connected(home) as client:
        job = structured(await client.call_tool("shell", {"command": "sleep 60", "background": True}))["job"]
        for _ in range(3):
            await refusal(client, "shell", command="sudo id")
        frozen = await refusal(client, "shell", command="echo hello")
        unread = await refusal(client, "file_read", path="/workspace/x")
        await eventually(lambda: home.audit("session.frozen"))
        listed, shown = text_of(await client.call_tool("session_list", {})), cli(home, "sessions", "list").stdout
        output = await client.call_tool("job_output", {"job": job, "wait_s": 0})
        (line,) = home.audit("anomaly.denials")

        released = cli(home, "sessions", "release", "default")
        again = structured(await client.call_tool("shell", {"command": "echo hello"}))

    assert "the session default is frozen, because of 3 denials in 60 s" in frozen
    assert "sandgate sessions release default" in frozen
    assert "frozen" in unread
    assert "default" in listed
    assert "default of local is frozen: 3 denials in 60 s" in shown
    assert not output.is_error
    assert (line["caller"], line["session"], line["count"], line["effect"]) == ("local", "default", 3, "freeze")
    assert (released.returncode, again["stdout"]) == (0, "hello\n")
    assert [line["session"] for line in home.audit("anomaly.released")] == ["default"]
    assert "nothing is held against" in cli(home, "sessions", "release", "default").stderr


async def test_what_was_allowed_before_and_starts_after_stands_still_as_well(folder: Path) -> None:
    home = Home(folder / "before", f'{BASE}denials = {{count = 1, effect = "freeze"}}\n')
    home.folder.mkdir()
    async with connected(home) as client:
        async with anyio.create_task_group() as tasks:
            arguments = {"command": "touch began; sleep 60", "background": True}
            tasks.start_soon(client.call_tool, "shell", arguments)  # it makes its session, which takes a while
            await eventually(lambda: home.audit("call.decided"))
            await refusal(client, "shell", command="sudo id")
        await eventually(lambda: home.audit("session.frozen"))
        assert "frozen" in text_of(await client.call_tool("session_list", {}))


async def test_after_a_restart_it_is_still_frozen_and_no_new_session_is_a_way_round(folder: Path) -> None:
    home = Home(folder / "restart", f'{BASE}denials = {{count = 1, effect = "freeze"}}\n')
    home.folder.mkdir()
    async with connected(home) as client:
        await client.call_tool("shell", {"command": "true", "session": "before"})
        await refusal(client, "shell", command="sudo id")
    async with connected(home) as client:
        assert "is frozen" in await refusal(client, "shell", command="echo hello")
        opened = await refusal(client, "session_open", session="new")
        named = await refusal(client, "shell", command="echo hello", session="other")
        before = structured(await client.call_tool("shell", {"command": "echo hello", "session": "before"}))
        cli(home, "sessions", "release", "default")
        after = structured(await client.call_tool("shell", {"command": "echo hello", "session": "other"}))

    for said in (opened, named):
        assert "no new session is opened for you: your session default is frozen, because of 1 denials in 60 s" in said
        assert "A person can release it with: sandgate sessions release default" in said
    assert (before["stdout"], after["stdout"]) == ("hello\n", "hello\n")


async def test_failing_files_put_each_further_call_to_a_person(folder: Path) -> None:
    home = Home(folder / "files", f'{BASE}failed_files = {{count = 2, effect = "ask"}}\n')
    home.folder.mkdir()
    async with connected(home) as client:
        for number in range(2):
            await refusal(client, "file_read", path=f"/workspace/missing-{number}")
        asked = await client.call_tool("shell", {"command": "echo hello"})
        allowed = cli(home, "approvals", "allow", structured(asked)["approval"]["id"])
        ran = structured(await client.call_tool("shell", {"command": "echo hello"}))

    assert structured(asked)["status"] == "approval_required"
    assert structured(asked)["rules"][0]["id"] == "anomaly.ask"
    assert (allowed.returncode, ran["stdout"]) == (0, "hello\n")
    assert home.audit("anomaly.failed_files")[0]["effect"] == "ask"


class Taking(Asked):
    """Reads all that it is sent: what is hung up on has left in part."""

    def answer(self, body: bytes) -> None:
        self.say(200)


async def test_bytes_that_leave_and_hosts_that_are_new_are_recorded(folder: Path) -> None:
    authority = FakeAuthority(folder)
    with answering(Taking, authority.context(HOST, protocols=("http/1.1",))) as port:
        home = Home(
            folder / "egress",
            f'environment = "python"\n[anomalies]\nsent_mb = {{count = 2, window_s = 600}}\n'
            "new_hosts = {count = 3, window_s = 600}\n"
            f'[egress]\nallow = ["{HOST}:{port}"]\n{believed(authority.path, HOST)}',
        )
        home.folder.mkdir()
        async with connected(home) as client:
            asked = [
                ("https://new-1.example/", 0),
                ("https://new-2.example/", 0),
                *[(f"https://{HOST}:{port}/", 150_000)] * 16,
            ]
            program = (
                f"import urllib.request as u\nfor url, size in {asked}:\n"
                "    try: u.urlopen(url, data=bytes(size) or None).read()\n    except OSError as exc: print(exc)"
            )
            ran = await client.call_tool("exec", {"argv": ["python3", "-c", program]})
            assert not ran.is_error, text_of(ran)
            (megabytes,) = await eventually(lambda: home.audit("anomaly.sent_mb"))
            (new,) = await eventually(lambda: home.audit("anomaly.new_hosts"))
            after = structured(await client.call_tool("shell", {"command": "echo hello"}))

    assert megabytes["count"] >= 2
    assert (new["count"], new["effect"], after["stdout"]) == (3, "record", "hello\n")


async def test_failed_logins_are_recorded_with_their_address(folder: Path) -> None:
    home = Home(folder / "logins", f"{BASE}failed_logins = {{count = 3}}\n" + tokens(ann=ANN))
    home.folder.mkdir()
    with serving(home) as server:
        for _ in range(4):
            answer = server.get("/mcp", Authorization="Bearer sgt_wrong-0123456789abcdef")
            assert answer.status_code == httpx.codes.UNAUTHORIZED
        (line,) = home.audit("anomaly.failed_logins")

    assert (line["address"], line["count"], line["effect"]) == ("127.0.0.1", 3, "record")
