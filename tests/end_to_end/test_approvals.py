"""What only a person may allow, with real clients: by the command line, and by a form in the client, in both eras."""

import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.types import CallToolResult, ElicitRequestParams, ElicitResult, InputRequiredResult

from server.judge.approvals import Approvals
from server.record.approval_rows import ApprovalRows
from tests.end_to_end.http_rig import ANN, BOB, cli, serving, streamable, tokens
from tests.end_to_end.rig import Home, connected, structured, text_of
from tests.waiting import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.promise("approval.bound")]
PUSH = {"command": "git push; echo went on"}


@pytest.fixture
def home(own_folder: Path) -> Home:
    return Home(own_folder)


def asked(result: CallToolResult) -> str:
    """The id under which a person finds the question."""
    assert result.is_error
    assert structured(result)["status"] == "approval_required", text_of(result)
    return str(structured(result)["approval"]["id"])


def ran(result: CallToolResult) -> bool:
    return not result.is_error and "went on" in structured(result)["stdout"]


async def test_a_person_says_yes_at_the_command_line_for_once(home: Home) -> None:
    async with connected(home) as client:
        first = await client.call_tool("shell", PUSH)
        approval = asked(first)
        shown = cli(home, "approvals", "list").stdout
        done = cli(home, "approvals", "allow", approval)
        second, third = [await client.call_tool("shell", PUSH) for _ in range(2)]

    assert f"sandgate approvals allow {approval}" in text_of(first)
    assert approval in shown
    assert "| git push; echo went on" in shown
    assert done.returncode == 0
    assert ran(second)
    assert asked(third) != approval
    (line,) = home.audit("call.approved")
    assert line["approval"] == approval
    assert "at the command line" in line["by"]


async def test_a_no_is_told_to_the_agent(home: Home) -> None:
    async with connected(home) as client:
        approval = asked(await client.call_tool("shell", PUSH))
        cli(home, "approvals", "deny", approval)
        written = await eventually(lambda: home.audit("approval.answered"))  # before the agent asks again, if ever
        answer = await client.call_tool("shell", PUSH)
    assert structured(answer)["status"] == "denied"
    assert "A person said no" in text_of(answer)
    assert [(line["approval"], line["answer"]) for line in written] == [(approval, "deny")]
    assert written[0]["by"].endswith("at the command line")


async def test_an_answer_given_while_no_server_runs_is_recorded_by_the_next(home: Home) -> None:
    async with connected(home) as client:
        approval = asked(await client.call_tool("shell", PUSH))
    cli(home, "approvals", "allow", approval, "--session")
    cli(home, "approvals", "revoke", approval)
    async with connected(home) as client:
        await client.call_tool("session_list", {})
    assert [line["answer"] for line in home.audit("approval.answered")] == ["session", "revoke"]


async def test_a_yes_is_not_for_another_text(home: Home) -> None:
    async with connected(home) as client:
        approval = asked(await client.call_tool("shell", PUSH))
        assert cli(home, "approvals", "allow", approval).returncode == 0
        asked(await client.call_tool("shell", {"command": "git push --tags; echo went on"}))
        assert ran(await client.call_tool("shell", PUSH))


def test_an_answer_to_nothing_says_so(home: Home) -> None:
    done = cli(home, "approvals", "allow", "a-00000000")
    assert done.returncode == 1
    assert "approvals list" in done.stderr


async def test_what_is_shown_hides_nothing(home: Home) -> None:
    async with connected(home) as client:
        asked(await client.call_tool("exec", {"argv": ["git", "push", "\x1b[2K\u202eevil"]}))
    shown = cli(home, "approvals", "list").stdout
    assert "\x1b" not in shown
    assert r"\x1b[2K\u202eevil" in shown


# --- a form in the client ----------------------------------------------------------------------------------------------


@dataclass
class Form:
    """What a person does with whatever a client asks, and what was asked."""

    does: ElicitResult = field(default_factory=lambda: ElicitResult(action="cancel"))
    seen: list[str] = field(default_factory=list)

    async def answer(self, context: Any, params: ElicitRequestParams) -> ElicitResult:
        self.seen.append(params.message)
        return self.does


@dataclass(frozen=True, slots=True)
class Person:
    """At a client that shows forms."""

    home: Home
    client: Client
    form: Form

    async def meets(self, session: str, does: ElicitResult) -> tuple[CallToolResult, list[str]]:
        """The result of a call of that session, and what was shown."""
        self.form.does, self.form.seen = does, []
        return await self.client.call_tool("shell", {**PUSH, "session": session}), self.form.seen


@pytest.fixture(scope="module", params=["auto", "legacy"])
async def person(request: pytest.FixtureRequest, folder: Path, anyio_backend: str) -> AsyncGenerator[Person]:
    """In each era; each test has a session of its own."""
    home, form = Home(folder / request.param), Form()
    home.folder.mkdir()
    async with Client(home.parameters(), mode=request.param, elicitation_callback=form.answer) as client:
        yield Person(home, client, form)


async def test_a_person_says_yes_in_the_client(person: Person) -> None:
    result, seen = await person.meets("yes", ElicitResult(action="accept", content={"allow": True}))
    assert ran(result), text_of(result)
    (message,) = seen
    assert "git push; echo went on" in message
    assert "outside the sandbox" in message
    await person.client.call_tool("session_close", {"session": "yes"})


@pytest.mark.parametrize(
    ("session", "does"),
    [
        ("no", ElicitResult(action="accept", content={"allow": False})),
        ("nothing", ElicitResult(action="accept")),
        ("declined", ElicitResult(action="decline")),
    ],
)
async def test_whatever_is_no_clear_yes_is_a_no(person: Person, session: str, does: ElicitResult) -> None:
    result, seen = await person.meets(session, does)
    assert not ran(result)
    assert "A person said no" in text_of(result)
    assert len(seen) == 1


async def test_a_form_put_away_leaves_the_question_open(person: Person) -> None:
    result, _ = await person.meets("put-away", ElicitResult(action="cancel"))
    approval = re.search(r"sandgate approvals allow (a-\w+)", text_of(result))
    assert approval is not None
    assert cli(person.home, "approvals", "allow", approval[1]).returncode == 0


async def test_an_answer_that_is_sent_again_or_with_another_call_or_made_up_runs_nothing(home: Home) -> None:
    """Between the rounds the client carries the question: what it brings back is good for that call, once."""
    yes = {"consent": ElicitResult(action="accept", content={"allow": True})}
    async with Client(home.parameters(), mode="auto", elicitation_callback=Form().answer) as client:

        async def send(state: str | None, command: Mapping[str, str] = PUSH) -> Any:
            responses: Any = yes if state else None
            try:
                return await client.session.call_tool(
                    "shell", dict(command), input_responses=responses, request_state=state, allow_input_required=True
                )
            except MCPError as refused:
                return refused

        asked_first = await send(None)
        assert isinstance(asked_first, InputRequiredResult)
        state = asked_first.request_state
        (waiting,) = Approvals(ApprovalRows(home.folder / "state/sandgate.db"), 900).live()
        others = [
            await send(waiting.id),
            await send(f"{state}x"),
            await send(state, {"command": "git push --force; echo went on"}),
        ]
        first, again = await send(state), await send(state)

    assert ran(first)
    for other in (*others, again):
        assert isinstance(other, MCPError) or not ran(other)


# --- over HTTP ---------------------------------------------------------------------------------------------------------


async def test_over_http_a_yes_is_for_one_caller_and_one_session(folder: Path) -> None:
    home = Home(folder / "h", tokens(ann=ANN, bob=BOB))
    home.folder.mkdir()
    with serving(home) as server:
        async with streamable(server, ANN) as ann, streamable(server, BOB) as bob:
            first = await ann.call_tool("shell", PUSH)
            approval, session = asked(first), structured(first)["approval"]["session"]
            cli(home, "approvals", "allow", approval)

            assert session in text_of(first)
            asked(await bob.call_tool("shell", {**PUSH, "session": session}))
            asked(await ann.call_tool("shell", PUSH))
            assert ran(await ann.call_tool("shell", {**PUSH, "session": session}))
            await ann.call_tool("session_close", {"session": session})
