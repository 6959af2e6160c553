"""A decision of the engine is taken at its word only where every part of it has its shape."""

from collections.abc import Mapping
from typing import Any

import pytest

from policy.verdict import Allow, Ask, Deny, Rule
from server.judge.decision import verdict
from tests.server.judge.judging import ids

ASKED: Mapping[str, Any] = {"id": "a.b", "effect": "ask", "reason": "seen", "help": "do", "grant": "git push"}
DENIED: Mapping[str, Any] = {**ASKED, "effect": "deny", "grant": ""}


def decision(effect: str = "allow", *rules: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "effect": effect,
        "rules": [dict(rule) for rule in rules],
        "limits": {"timeout_s": None, "output_bytes": None},
        "access": {"read": ["/"], "write": [], "execute": ["/"]},
        "revision": "r",
    }


@pytest.mark.promise("policy.error_is_deny")
@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("effect",), "permit"),
        (("effect",), "ask"),
        (("effect",), True),
        (("rules",), None),
        (("rules",), [{"id": "a", "effect": "deny", "reason": "b"}]),
        (("rules",), [{**DENIED, "more": ""}]),
        (("rules",), [{**DENIED, "reason": 1}]),
        (("rules",), [{**DENIED, "effect": "allow"}]),
        (("rules",), [DENIED]),
        (("limits",), {}),
        (("limits", "timeout_s"), -1),
        (("limits", "timeout_s"), True),
        (("limits", "output_bytes"), 1.5),
        (("access",), None),
        (("access", "write"), "/"),
        (("access", "write"), ["workspace"]),
        (("access", "write"), ["/workspace/../etc"]),
        (("access", "write"), ["/a\0b"]),
        (("revision",), "another"),
        (("more",), 1),
    ],
)
def test_a_decision_of_another_shape_is_denied(path: tuple[str, ...], value: Any) -> None:
    document: Any = decision()
    assert isinstance(verdict(document, "r"), Allow)
    target = document[path[0]] if len(path) > 1 else document
    target[path[-1]] = value
    assert ids(verdict(document, "r")) == ["engine.error"]


def test_each_rule_carries_the_entry_that_would_grant_it() -> None:
    answer = verdict(decision("ask", ASKED), "r")

    assert isinstance(answer, Ask)
    assert answer.rules == (Rule("a.b", "ask", "seen", "do", "git push"),)
    assert answer.granted.rules == answer.rules


@pytest.mark.promise("policy.error_is_deny")
@pytest.mark.parametrize("grant", [..., None, 1, ["git push"], "x" * 301], ids=str)
def test_a_rule_whose_grant_is_no_short_text_is_denied(grant: Any) -> None:
    rule = {key: value for key, value in ASKED.items() if key != "grant"}
    if grant is not ...:
        rule["grant"] = grant

    answer = verdict(decision("ask", rule), "r")

    assert ids(answer) == ["engine.error"]
    assert "grant" in answer.rules[0].reason or "other fields" in answer.rules[0].reason


@pytest.mark.promise("policy.strictest_wins")
def test_the_effect_is_that_of_the_strictest_rule_or_nothing_is_believed() -> None:
    assert isinstance(verdict(decision("deny", DENIED, ASKED), "r"), Deny)
    assert ids(verdict(decision("deny", DENIED, ASKED), "r")) == ["a.b", "a.b"]
    assert ids(verdict(decision("ask", DENIED, ASKED), "r")) == ["engine.error"]
    assert ids(verdict(decision("deny", ASKED), "r")) == ["engine.error"]


@pytest.mark.promise("policy.error_is_deny")
@pytest.mark.parametrize("document", [None, [], "allow", {}, {"effect": "allow"}], ids=str)
def test_what_is_no_decision_at_all_is_denied(document: Any) -> None:
    assert ids(verdict(document, "r")) == ["engine.error"]


@pytest.mark.promise("policy.error_is_deny")
def test_more_rules_or_paths_than_anybody_means_are_denied() -> None:
    assert ids(verdict(decision("deny", *[DENIED] * 1001), "r")) == ["engine.error"]
    many = decision()
    many["access"]["read"] = ["/a"] * 4_097
    assert ids(verdict(many, "r")) == ["engine.error"]
