from pathlib import Path

import pytest

from policy.question import CallerFacts, Question, SessionFacts, UseSession
from policy.verdict import Allow, Ask, Deny, Rule, Verdict
from server.judge.suspicion import LOOK_AGAIN_S, UNTOUCHED, Suspicion, Suspicions, WaryJudge
from server.record.suspicion_rows import SuspicionRows
from tests.fakes import FixedJudge

pytestmark = [pytest.mark.anyio, pytest.mark.promise("anomaly.held")]

ALLOW = Allow(revision="r1")
ASK = Ask((Rule("outward", "ask", "it publishes"),), ALLOW, "r1")
DENY = Deny((Rule("privilege.tools", "deny", "no sudo"),), "r1")


def question(tool: str = "shell", session: str = "work", caller: str = "ann") -> Question:
    return Question(CallerFacts(caller), tool, SessionFacts(session, "base"), UseSession("x"), {})


class House:
    def __init__(self, folder: Path) -> None:
        self.now, self.rows = 100.0, SuspicionRows(folder / "sandgate.db")
        self.suspicions = Suspicions(self.rows, lambda: self.now)

    async def says(self, asked: Question, verdict: Verdict = ALLOW) -> Verdict:
        return await WaryJudge(FixedJudge(verdict), self.suspicions).decide(asked)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_a_frozen_session_is_denied_with_the_reason_and_how_it_ends(house: House) -> None:
    house.suspicions.begin("ann", "work", Suspicion("freeze", "20 denials in 60 s"))

    denied = await house.says(question())
    assert isinstance(denied, Deny)
    (rule,) = denied.rules
    assert (rule.id, rule.reason) == ("anomaly.frozen", "the session work is frozen, because of 20 denials in 60 s")
    assert rule.help.endswith("sandgate sessions release work")
    assert await house.says(question(), DENY) == DENY


@pytest.mark.parametrize("tool", sorted(UNTOUCHED))
async def test_what_only_tells_or_ends_goes_on(house: House, tool: str) -> None:
    house.suspicions.begin("ann", "work", Suspicion("freeze", "20 denials in 60 s"))

    assert await house.says(question(tool)) == ALLOW


async def test_other_sessions_and_other_callers_go_on(house: House) -> None:
    house.suspicions.begin("ann", "work", Suspicion("freeze", "20 denials in 60 s"))

    assert await house.says(question(session="other")) == ALLOW
    assert await house.says(question(caller="bob")) == ALLOW


async def test_where_each_call_is_asked_about_a_yes_gives_no_more_than_the_judge_would(house: House) -> None:
    house.suspicions.begin("ann", "work", Suspicion("ask", "20 denials in 60 s"))

    asked = await house.says(question())
    assert isinstance(asked, Ask)
    assert (asked.rules[0].id, asked.granted) == ("anomaly.ask", ALLOW)
    assert await house.says(question(), ASK) == ASK
    assert await house.says(question(), DENY) == DENY


async def test_a_release_by_another_process_holds_at_once_and_a_new_suspicion_soon(house: House) -> None:
    house.suspicions.begin("ann", "work", Suspicion("freeze", "20 denials in 60 s"))
    house.rows.drop("ann", "work")
    assert await house.says(question()) == ALLOW

    house.rows.put("ann", "work", "freeze", "another server saw it", 1)
    house.now += LOOK_AGAIN_S
    assert isinstance(await house.says(question()), Deny)


async def test_what_is_to_stand_still_is_known_without_the_database_and_released_by_it(house: House) -> None:
    house.suspicions.begin("ann", "work", Suspicion("freeze", "20 denials in 60 s"))
    house.suspicions.begin("ann", "asked", Suspicion("ask", "20 denials in 60 s"))

    assert house.suspicions.freezes("ann", "work")
    assert not house.suspicions.freezes("ann", "asked")
    assert not house.suspicions.freezes("bob", "work")
    house.rows.drop("ann", "work")
    assert not house.suspicions.freezes("ann", "work")


async def test_a_new_server_knows_what_the_one_before_held(house: House, tmp_path: Path) -> None:
    house.suspicions.begin("ann", "work", Suspicion("freeze", "20 denials in 60 s"))

    assert isinstance(await House(tmp_path).says(question()), Deny)


async def test_where_the_database_cannot_be_used_what_was_known_holds(tmp_path: Path) -> None:
    (tmp_path / "sandgate.db").mkdir()
    house = House(tmp_path)
    assert await house.says(question()) == ALLOW
    house.suspicions.begin("ann", "work", Suspicion("freeze", "20 denials in 60 s"))

    assert isinstance(await house.says(question()), Deny)
