import math
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
        self.opened = dict[str, float]()

    async def says(self, asked: Question, verdict: Verdict = ALLOW) -> Verdict:
        return await WaryJudge(FixedJudge(verdict), self.suspicions, self._opened).decide(asked)

    def _opened(self, _owner: str, name: str) -> float:
        return self.opened.get(name, math.inf)


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


async def test_sessions_from_before_and_other_callers_go_on(house: House) -> None:
    house.opened["other"] = house.now - 1
    house.suspicions.begin("ann", "work", Suspicion("freeze", "20 denials in 60 s"))

    assert await house.says(question(session="other")) == ALLOW
    assert await house.says(question(caller="bob")) == ALLOW


async def test_no_later_session_of_the_caller_is_a_way_round_a_freeze(house: House) -> None:
    house.suspicions.begin("ann", "work", Suspicion("freeze", "20 denials in 60 s"))
    house.opened["raced"] = house.now + 0.1

    for session in ("", "new", "raced"):
        denied = await house.says(question("session_open", session))
        assert isinstance(denied, Deny)
        (rule,) = denied.rules
        assert rule.reason.startswith(
            "no new session is opened for you: your session work is frozen, because of 20 den"
        )
        assert rule.help.endswith("sandgate sessions release work")
    house.rows.drop("ann", "work")
    assert await house.says(question("session_open", "new")) == ALLOW


async def test_what_another_server_froze_since_the_last_look_keeps_a_new_session_away_at_once(house: House) -> None:
    assert await house.says(question(session="new")) == ALLOW
    house.rows.put("ann", "work", "freeze", "another server saw it", house.now)

    assert isinstance(await house.says(question(session="new")), Deny)


async def test_of_what_is_held_against_a_caller_a_freeze_goes_before_an_ask(house: House) -> None:
    house.suspicions.begin("ann", "asked", Suspicion("ask", "2 failed files in 60 s"))
    later = await house.says(question(session="new"))
    assert isinstance(later, Ask)
    assert later.rules[0].reason.startswith("every call of your sessions later than asked is asked about")

    house.suspicions.begin("ann", "work", Suspicion("freeze", "20 denials in 60 s"))
    assert isinstance(await house.says(question(session="new")), Deny)


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
    (tmp_path / "sandgate.db").rmdir()
    assert isinstance(await house.says(question()), Deny), "it can be used again, and does not know of it"
