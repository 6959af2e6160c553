"""A yes is bound to what the named files hold, to one session, and to once, that session or a time: with a real client,
a real sandbox, and an agent that swaps things."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.types import CallToolResult, ElicitRequestParams, ElicitResult

from server.front.bearers import digest
from tests.end_to_end.http_rig import ANN, BOB, cli, serving, streamable
from tests.end_to_end.rig import Home, connected, structured, text_of

pytestmark = [pytest.mark.anyio, pytest.mark.promise("approval.bound")]
SETTINGS = """
[policy]
ask = ["make"]
[[policy.paths]]
glob = "/workspace/private/**"
effect = "ask"
"""
MAKE = {"command": "make"}
GOOD, EVIL = "all:\n\t@echo good\n", "all:\n\t@echo evil\n"
WRITE = {"path": "private/x", "content": "first\n"}


@pytest.fixture
def home(folder: Path, request: pytest.FixtureRequest) -> Home:
    made = Home(folder / f"{abs(hash(request.node.name)) % 100_000}", SETTINGS)
    made.folder.mkdir()
    return made


def asked(result: CallToolResult) -> str:
    assert structured(result)["status"] == "approval_required", text_of(result)
    return str(structured(result)["approval"]["id"])


async def put(client: Client, path: str, content: str) -> None:
    result = await client.call_tool("file_write", {"path": path, "content": content})
    assert not result.is_error, text_of(result)


async def test_a_makefile_swapped_after_the_yes_asks_again(home: Home) -> None:
    async with connected(home) as client:
        await put(client, "Makefile", GOOD)
        approval = asked(await client.call_tool("shell", MAKE))
        assert "/workspace/Makefile" in cli(home, "approvals", "list").stdout
        cli(home, "approvals", "allow", approval)

        await put(client, "Makefile", EVIL)
        assert asked(await client.call_tool("shell", MAKE)) != approval
        await put(client, "Makefile", GOOD)
        await put(client, "GNUmakefile", EVIL)
        asked(await client.call_tool("shell", MAKE))
        await client.call_tool("shell", {"command": "rm GNUmakefile"})
        await client.call_tool("shell", {"command": "sleep 600", "background": True})
        asked(await client.call_tool("shell", MAKE))
        assert "can change them at any moment" in cli(home, "approvals", "list").stdout
        await client.call_tool("job_stop", {})

        assert structured(await client.call_tool("shell", MAKE))["stdout"] == "good\n"
        asked(await client.call_tool("shell", MAKE))


async def test_of_two_runs_on_a_yes_for_once_one_runs(home: Home) -> None:
    results = list[CallToolResult]()

    async def run(client: Client) -> None:
        results.append(await client.call_tool("exec", {"argv": ["make", "--version"]}))

    async with connected(home) as client:
        cli(home, "approvals", "allow", asked(await client.call_tool("exec", {"argv": ["make", "--version"]})))
        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(run, client)
    assert sorted(result.is_error for result in results) == [False, *[True] * 7]


async def test_a_yes_for_the_session_lasts_as_long_as_it_does_and_a_taken_back_one_no_longer(home: Home) -> None:
    async with connected(home) as client:
        await put(client, "Makefile", GOOD)
        approval = asked(await client.call_tool("shell", MAKE))
        assert "in that session" in cli(home, "approvals", "allow", approval, "--session").stdout
        assert [(await client.call_tool("shell", MAKE)).is_error for _ in range(2)] == [False, False]
        assert f"revoke {approval}" in cli(home, "approvals", "list").stdout

        await client.call_tool("session_close", {"session": "default"})
        await put(client, "Makefile", GOOD)
        another = asked(await client.call_tool("shell", MAKE))
        cli(home, "approvals", "allow", another, "--minutes", "5")
        assert not (await client.call_tool("shell", MAKE)).is_error
        assert cli(home, "approvals", "revoke", another).returncode == 0
        assert structured(await client.call_tool("shell", MAKE))["status"] == "denied"
        assert cli(home, "approvals", "revoke", another).returncode == 1
    assert [line["scope"] for line in home.audit("call.approved")] == ["session", "session", "time"]


async def test_a_question_outlives_a_restart_and_so_does_its_answer(home: Home) -> None:
    async with connected(home) as client:
        await put(client, "Makefile", GOOD)
        approval = asked(await client.call_tool("shell", MAKE))
    async with connected(home) as client:
        assert asked(await client.call_tool("shell", MAKE)) == approval
        cli(home, "approvals", "allow", approval)
    async with connected(home) as client:
        assert structured(await client.call_tool("shell", MAKE))["stdout"] == "good\n"
        asked(await client.call_tool("shell", MAKE))


# --- file tools --------------------------------------------------------------------------------------------------------


async def test_a_yes_to_a_file_is_for_that_content(home: Home) -> None:
    async with connected(home) as client:
        approval = asked(await client.call_tool("file_write", WRITE))
        assert "| first" in cli(home, "approvals", "list").stdout
        cli(home, "approvals", "allow", approval)
        asked(await client.call_tool("file_write", {**WRITE, "content": "other\n"}))
        assert not (await client.call_tool("file_write", WRITE)).is_error

        link = {"command": "ln -s private/x link"}
        cli(home, "approvals", "allow", asked(await client.call_tool("shell", link)))
        assert not (await client.call_tool("shell", link)).is_error
        by_link = asked(await client.call_tool("file_read", {"path": "link"}))
        cli(home, "approvals", "allow", by_link)
        assert text_of(await client.call_tool("file_read", {"path": "link"})) == "first\n"


def saying(*, yes: bool, seen: list[str], **more: str) -> Callable[..., Any]:
    async def answer(_: Any, params: ElicitRequestParams) -> ElicitResult:
        seen.append(params.message)
        return ElicitResult(action="accept", content={"allow": yes, **more})

    return answer


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_file_tool_asks_in_the_client_too(home: Home, mode: Any) -> None:
    seen = list[str]()
    answer = saying(yes=True, seen=seen, again="in this session")
    async with Client(home.parameters(), mode=mode, elicitation_callback=answer) as client:
        assert not (await client.call_tool("file_write", WRITE)).is_error
        assert [text_of(await client.call_tool("file_read", {"path": "private/x"})) for _ in range(2)] == [
            "first\n"
        ] * 2
        assert not (await client.call_tool("file_list", {"path": "private/"})).is_error
    assert len(seen) == 3
    assert "first" in seen[0]


# --- over HTTP ---------------------------------------------------------------------------------------------------------


async def test_over_http_only_an_approvers_client_is_asked(folder: Path) -> None:
    known = [("ann", ANN, '["user"]'), ("bob", BOB, '["user", "approver"]')]
    tokens = [
        f'[[http.tokens]]\nname = "{who}"\nsha256 = "{digest(key)}"\nroles = {roles}\n' for who, key, roles in known
    ]
    home = Home(folder / "r", SETTINGS + "".join(tokens))
    home.folder.mkdir()
    seen = list[str]()
    with serving(home) as server:
        answer = saying(yes=True, seen=seen)
        async with streamable(server, ANN, elicitation_callback=answer) as ann:
            asked(await ann.call_tool("file_write", WRITE))
        assert seen == []
        async with streamable(server, BOB, elicitation_callback=answer) as bob:
            result = await bob.call_tool("file_write", {**WRITE, "session": "mine"})
            await bob.call_tool("session_close", {"session": "mine"})
    assert not result.is_error
    assert len(seen) == 1
