"""Only a client that can show a form is asked, and only about what is open; end to end in test_approvals."""

from types import SimpleNamespace
from typing import Any

import pytest
from mcp.types import ClientCapabilities, ElicitationCapability, FormElicitationCapability, UrlElicitationCapability

from policy.verdict import Allow, Ask, Denied, Rule
from server.front.consent import can_ask, question_text

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
