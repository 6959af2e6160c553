import pytest

from policy.question import CallerFacts, Question, SessionFacts, UseSession
from policy.verdict import Allow, Permit, engine_error

QUESTION = Question(CallerFacts("ann"), "session_list", SessionFacts("s", "python"), UseSession("list"), {})


def test_a_permit_cannot_be_made_by_hand() -> None:
    with pytest.raises(TypeError, match="permits come from"):
        Permit(QUESTION, Allow(), key=object())


def test_an_engine_that_fails_denies_under_its_own_rule() -> None:
    assert [rule.id for rule in engine_error("slow").rules] == ["engine.error"]
