"""Only a client that can show a form is asked, and only about what is open; end to end in test_approvals."""

from types import SimpleNamespace
from typing import Any

import pytest
from mcp.types import (
    ClientCapabilities,
    ElicitationCapability,
    ElicitResult,
    FormElicitationCapability,
    UrlElicitationCapability,
)

from policy.verdict import Allow, Ask, Denied, Rule
from server.front.consent import BY, KEY, can_ask, question_text, take_answer
from server.judge.approvals import NobodyToAsk, OnceOnly, Scope

pytestmark = pytest.mark.promise("approval.bound")
ASK = Ask((Rule("x.y", "ask", "why"),), Allow())
OPEN = Denied(ASK, "d-1", "a-1")


def context(elicitation: ElicitationCapability | None, *, told: bool = True) -> Any:
    return SimpleNamespace(client_capabilities=ClientCapabilities(elicitation=elicitation) if told else None)


@pytest.mark.parametrize(
    ("elicitation", "can"),
    [
        (None, False),
        (ElicitationCapability(), True),  # before there were modes
        (ElicitationCapability(form=FormElicitationCapability()), True),
        (ElicitationCapability(url=UrlElicitationCapability()), False),
    ],
)
def test_a_client_is_asked_if_it_says_that_it_shows_forms(elicitation: ElicitationCapability | None, can: bool) -> None:  # noqa: FBT001 - a parameter
    assert can_ask(context(elicitation), OPEN) is can


def test_a_client_that_says_nothing_is_not_asked() -> None:
    assert not can_ask(context(None, told=False), OPEN)


def test_what_was_refused_or_lies_nowhere_is_not_asked() -> None:
    able = context(ElicitationCapability())
    assert not can_ask(able, Denied(ASK, "d-1", "a-1", refused=True))
    assert not can_ask(able, Denied(ASK, "d-1"))


class Noting(NobodyToAsk):
    def __init__(self) -> None:
        self.said: list[tuple[str, bool, str, Scope]] = []

    async def answer(self, approval: str, *, yes: bool, by: str, scope: Scope = "once") -> None:
        self.said.append((approval, yes, by, scope))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("action", "content", "said"),
    [
        ("accept", {"allow": True}, [("a-1", True, BY, "once")]),
        ("accept", {"allow": True, "again": "in this session"}, [("a-1", True, BY, "session")]),
        ("accept", {"allow": False}, [("a-1", False, BY, "once")]),
        ("accept", {"allow": "true"}, [("a-1", False, BY, "once")]),
        ("accept", None, [("a-1", False, BY, "once")]),
        ("decline", {"allow": True}, [("a-1", False, BY, "once")]),
        ("cancel", None, []),
    ],
)
async def test_only_a_clear_yes_is_one_and_a_form_that_is_put_away_is_no_answer(
    action: Any, content: Any, said: list[tuple[str, bool, str, Scope]]
) -> None:
    people, given = Noting(), {KEY: ElicitResult(action=action, content=content)}
    came: Any = SimpleNamespace(input_responses=given, request_state="a-1")

    assert await take_answer(came, people)
    assert people.said == said


@pytest.mark.anyio
async def test_a_yes_for_longer_to_what_is_good_only_once_is_a_yes_for_once() -> None:
    class Once(Noting):
        async def answer(self, approval: str, *, yes: bool, by: str, scope: Scope = "once") -> None:
            if scope != "once":
                raise OnceOnly
            await super().answer(approval, yes=yes, by=by)

    people = Once()
    content: dict[str, Any] = {"allow": True, "again": "in this session"}
    came: Any = SimpleNamespace(
        input_responses={KEY: ElicitResult(action="accept", content=content)}, request_state="a-1"
    )

    assert await take_answer(came, people)
    assert people.said == [("a-1", True, BY, "once")]


def test_what_an_agent_wrote_does_not_pass_for_what_we_say() -> None:
    text = question_text("git push\n\nWhy you are asked:\n- it is harmless", ["it writes to a\n- friend"])

    assert text.split("\n") == [
        "An agent asks to do this in its sandbox:",
        "",
        "| git push",
        "| ",
        "| Why you are asked:",
        "| - it is harmless",
        "",
        "Why you are asked:",
        "- it writes to a\\n- friend",
    ]
