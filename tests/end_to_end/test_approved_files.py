"""A yes is bound to what the named files hold, to one session, and to once, that session or a time: with a real client,
a real sandbox, and an agent that swaps things."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.types import CallToolResult, ElicitRequestParams, ElicitResult

from server.judge.approvals import Approvals
from server.record.approval_rows import ApprovalRows
from server.settings.http import digest
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
GOOD, EVIL = "all:\n\t@echo good\n", "all:\n\t@echo evil\n"
WRITE = {"path": "private/x", "content": "first\n"}


@pytest.fixture
def home(own_folder: Path) -> Home:
    """For a test that starts and ends servers of its own."""
    return Home(own_folder, SETTINGS)


@pytest.fixture(scope="module")
def shared(folder: Path) -> Home:
    made = Home(folder / "shared", SETTINGS)
    made.folder.mkdir()
    return made


@pytest.fixture(scope="module")
async def client(shared: Home, anyio_backend: str) -> AsyncGenerator[Client]:
    async with connected(shared) as made:
        yield made


@dataclass(frozen=True, slots=True)
class Agent:
    """What calls in one session, with a person who answers in the store that the command line uses."""

    client: Client
    home: Home
    session: str = "default"

    async def call(self, tool: str, **arguments: Any) -> CallToolResult:
        return await self.client.call_tool(tool, {**arguments, "session": self.session})

    async def make(self) -> CallToolResult:
        return await self.call("shell", command="make")

    async def put(self, path: str, content: str) -> None:
        result = await self.call("file_write", path=path, content=content)
        assert not result.is_error, text_of(result)

    def people(self) -> Approvals:
        return Approvals(ApprovalRows(self.home.folder / "state/sandgate.db"), 900)

    def allow(self, approval: str, **how: Any) -> None:
        self.people().answer_now(approval, yes=True, by="carl", **how)

    def shown(self) -> str:
        return "\n".join(waiting.shown for waiting in self.people().live())


def asked(result: CallToolResult) -> str:
    assert structured(result)["status"] == "approval_required", text_of(result)
    return str(structured(result)["approval"]["id"])


async def test_a_makefile_swapped_after_the_yes_asks_again(client: Client, shared: Home) -> None:
    agent = Agent(client, shared, "swap")
    await agent.put("Makefile", GOOD)
    approval = asked(await agent.make())
    assert "/workspace/Makefile" in agent.shown()
    agent.allow(approval)

    await agent.put("Makefile", EVIL)
    assert asked(await agent.make()) != approval
    await agent.put("Makefile", GOOD)
    await agent.put("GNUmakefile", EVIL)
    asked(await agent.make())
    await agent.call("shell", command="rm GNUmakefile")
    await agent.call("shell", command="sleep 600", background=True)
    asked(await agent.make())
    assert "can change its files at any moment" in agent.shown()
    await agent.call("job_stop")

    assert structured(await agent.make())["stdout"] == "good\n"
    asked(await agent.make())


async def test_where_a_push_goes_by_a_file_at_home_is_part_of_the_yes(client: Client, shared: Home) -> None:
    agent, program = (
        Agent(client, shared, "home"),
        "import os; open(os.path.expanduser('~/.gitconfig'), 'a').write('%s')",
    )
    await agent.put("x.py", program % '[url "https://evil.example/"]\\n\\tinsteadOf = https://good.example/\\n')
    push = "git push https://good.example/x main"
    approval = asked(await agent.call("shell", command=push))
    agent.allow(approval)

    ran = await agent.call("shell", command="python3 x.py")
    assert not ran.is_error, text_of(ran)
    assert asked(await agent.call("shell", command=push)) != approval
    assert "/.gitconfig" in agent.shown()


async def test_a_swap_of_what_a_variable_or_an_option_leads_to_asks_again(client: Client, shared: Home) -> None:
    agent = Agent(client, shared, "led")
    await agent.put("Makefile", "include x.mk\n$(shell cat $(CONFIG)):\n\t@echo $@\n")
    await agent.put("cfg", "good")
    await agent.put("inc/x.mk", "all: good\n")
    make = {"command": "CONFIG=cfg make -I inc"}
    approval = asked(await agent.call("shell", **make))
    agent.allow(approval)
    assert "/workspace/cfg, /workspace/inc/ with all in it" in agent.shown()

    await agent.put("cfg", "evil")
    other = asked(await agent.call("shell", **make))
    await agent.put("cfg", "good")
    await agent.put("inc/y.mk", "")
    assert len({approval, other, asked(await agent.call("shell", **make))}) == 3
    await agent.call("shell", command="rm inc/y.mk")
    assert structured(await agent.call("shell", **make))["stdout"] == "good\n"

    loose = asked(await agent.call("shell", command="CONFIG=$(cat cfg) make -I inc"))
    often = cli(shared, "approvals", "allow", loose, "--session")
    assert (often.returncode, "once at a time only" in often.stderr) == (1, True)
    assert "CONFIG is known only when it runs" in cli(shared, "approvals", "list").stdout
    assert cli(shared, "approvals", "allow", loose).returncode == 0


async def test_of_two_runs_on_a_yes_for_once_one_runs(client: Client, shared: Home) -> None:
    agent, results = Agent(client, shared, "race"), list[CallToolResult]()

    async def run() -> None:
        results.append(await agent.call("exec", argv=["make", "--version"]))

    agent.allow(asked(await agent.call("exec", argv=["make", "--version"])))
    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(run)
    assert sorted(result.is_error for result in results) == [False, *[True] * 7]


async def test_a_yes_for_the_session_lasts_as_long_as_it_does_and_a_taken_back_one_no_longer(
    client: Client, shared: Home
) -> None:
    agent = Agent(client, shared, "scopes")
    await agent.put("Makefile", GOOD)
    approval = asked(await agent.make())
    assert "in that session" in cli(shared, "approvals", "allow", approval, "--session").stdout
    assert [(await agent.make()).is_error for _ in range(2)] == [False, False]
    assert f"revoke {approval}" in cli(shared, "approvals", "list").stdout

    await agent.call("session_close")
    await agent.put("Makefile", GOOD)
    another = asked(await agent.make())
    agent.allow(another, for_s=300)
    assert not (await agent.make()).is_error
    assert cli(shared, "approvals", "revoke", another).returncode == 0
    assert structured(await agent.make())["status"] == "denied"
    scopes = [line["scope"] for line in shared.audit("call.approved") if line["approval"] in (approval, another)]
    assert scopes == ["session", "session", "time"]


async def test_a_question_outlives_a_restart_and_so_does_its_answer(home: Home) -> None:
    async with connected(home) as client:
        agent = Agent(client, home)
        await agent.put("Makefile", GOOD)
        approval = asked(await agent.make())
    async with connected(home) as client:
        assert asked(await Agent(client, home).make()) == approval
        agent.allow(approval)
    async with connected(home) as client:
        agent = Agent(client, home)
        assert structured(await agent.make())["stdout"] == "good\n"
        asked(await agent.make())


# --- file tools --------------------------------------------------------------------------------------------------------


async def test_a_yes_to_a_file_is_for_that_content(client: Client, shared: Home) -> None:
    agent = Agent(client, shared, "file")
    approval = asked(await agent.call("file_write", **WRITE))
    assert "\nfirst" in agent.shown()
    agent.allow(approval)
    asked(await agent.call("file_write", **{**WRITE, "content": "other\n"}))
    assert not (await agent.call("file_write", **WRITE)).is_error

    link = {"command": "ln -s private/x link"}
    agent.allow(asked(await agent.call("shell", **link)))
    assert not (await agent.call("shell", **link)).is_error
    agent.allow(asked(await agent.call("file_read", path="link")))
    assert text_of(await agent.call("file_read", path="link")) == "first\n"


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
