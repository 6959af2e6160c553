"""A person's yes is good for exactly the call that was shown, once, for a while; every other call is another question."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from policy.held import Held, HeldFile
from policy.question import CallerFacts, Question, RunCommand, SessionFacts
from policy.verdict import Allow, Ask, Limits, Rule
from server.judge.approvals import Approval, Approvals, NobodyToAsk, NoSuchApproval, OnceOnly
from server.record.approval_rows import MOST, ApprovalRows
from tests.clock import Clock

pytestmark = [pytest.mark.anyio, pytest.mark.promise("approval.bound")]
ACT = RunCommand(("/bin/bash", "-c", "git push"), "/workspace", b"", 300, background=False)
QUESTION = Question(CallerFacts("ann"), "shell", SessionFacts("default", "python"), ACT, {"command": "git push"})
ASK = Ask((Rule("outward.publish", "ask", "git push sends work out"),), Allow(), "r1")


class Rig:
    def __init__(self, folder: Path) -> None:
        self.clock = Clock(1000.0)
        self.approvals = Approvals(ApprovalRows(folder / "sandgate.db"), 900, self.clock)

    async def wanted(self, question: Question = QUESTION, ask: Ask = ASK) -> Approval:
        found = await self.approvals.wanted(question, ask)
        assert found is not None
        return found


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


async def test_without_an_answer_there_is_no_yes(rig: Rig) -> None:
    await rig.wanted()
    assert await rig.approvals.given(QUESTION, ASK) is None


async def test_a_yes_is_good_once(rig: Rig) -> None:
    await rig.approvals.answer((await rig.wanted()).id, yes=True, by="carl")
    first, second = [await rig.approvals.given(QUESTION, ASK) for _ in range(2)]
    assert first is not None
    assert first.answered_by == "carl"
    assert second is None
    assert (await rig.wanted()).state == "pending"


async def test_of_many_that_use_one_yes_at_once_one_gets_it(rig: Rig) -> None:
    await rig.approvals.answer((await rig.wanted()).id, yes=True, by="carl")
    got = list[Approval]()

    async def use() -> None:
        if (yes := await rig.approvals.given(QUESTION, ASK)) is not None:
            got.append(yes)

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(use)
    assert len(got) == 1


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(lambda q: replace(q, caller=CallerFacts("bob")), id="caller"),
        pytest.param(lambda q: replace(q, caller=CallerFacts("ann", ("admin",))), id="role"),
        pytest.param(lambda q: replace(q, tool="exec"), id="tool"),
        pytest.param(lambda q: replace(q, session=SessionFacts("work", "python")), id="session"),
        pytest.param(lambda q: replace(q, session=SessionFacts("default", "node")), id="environment"),
        pytest.param(lambda q: replace(q, call={"command": "git push origin"}), id="text"),
        pytest.param(lambda q: replace(q, act=replace(ACT, argv=("/bin/bash", "-c", "git push -f"))), id="argv"),
        pytest.param(lambda q: replace(q, act=replace(ACT, cwd="/tmp")), id="cwd"),
        pytest.param(lambda q: replace(q, act=replace(ACT, stdin=b"y\n")), id="input"),
        pytest.param(lambda q: replace(q, act=replace(ACT, background=True)), id="background"),
    ],
)
async def test_a_yes_to_one_call_is_none_to_another(rig: Rig, other: Callable[[Question], Question]) -> None:
    await rig.approvals.answer((await rig.wanted()).id, yes=True, by="carl")
    assert await rig.approvals.given(other(QUESTION), ASK) is None
    assert await rig.approvals.given(QUESTION, ASK) is not None


async def test_a_yes_under_another_policy_is_none(rig: Rig) -> None:
    await rig.approvals.answer((await rig.wanted()).id, yes=True, by="carl")
    assert await rig.approvals.given(QUESTION, replace(ASK, revision="r2")) is None


async def test_a_question_and_a_yes_run_out(rig: Rig) -> None:
    late, used_late = await rig.wanted(), await rig.wanted(replace(QUESTION, tool="exec"))
    await rig.approvals.answer(used_late.id, yes=True, by="carl")
    rig.clock.now += 901
    assert await rig.approvals.given(replace(QUESTION, tool="exec"), ASK) is None
    with pytest.raises(NoSuchApproval):
        await rig.approvals.answer(late.id, yes=True, by="carl")
    assert rig.approvals.live() == []


async def test_the_same_call_asked_again_is_the_same_question(rig: Rig) -> None:
    assert (await rig.wanted()).id == (await rig.wanted()).id
    assert len(rig.approvals.live()) == 1


async def test_a_no_stays_a_no_until_it_runs_out(rig: Rig) -> None:
    asked = await rig.wanted()
    await rig.approvals.answer(asked.id, yes=False, by="carl")
    assert (await rig.wanted()).state == "denied"
    with pytest.raises(NoSuchApproval):
        await rig.approvals.answer(asked.id, yes=True, by="the agent, later")
    rig.clock.now += 901
    assert (await rig.wanted()).state == "pending"


async def test_a_yes_for_a_time_is_good_again_and_again_until_then(rig: Rig) -> None:
    rig.approvals.answer_now((await rig.wanted()).id, yes=True, by="carl", for_s=1800)
    assert all([await rig.approvals.given(QUESTION, ASK) for _ in range(3)])
    rig.clock.now += 1801
    assert await rig.approvals.given(QUESTION, ASK) is None


async def test_a_yes_for_the_session_is_for_that_very_session_and_can_be_taken_back(rig: Rig) -> None:
    one, other = Held("session-1"), Held("session-2")
    asked = await rig.approvals.wanted(QUESTION, ASK, one)
    assert asked is not None
    await rig.approvals.answer(asked.id, yes=True, by="carl", scope="session")
    rig.clock.now += 86_400
    assert [(await rig.approvals.given(QUESTION, ASK, held)) is not None for held in (one, one, other)] == [
        True,
        True,
        False,
    ]
    rig.approvals.revoke(asked.id, by="carl")
    assert await rig.approvals.given(QUESTION, ASK, one) is None
    with pytest.raises(NoSuchApproval):
        rig.approvals.revoke(asked.id, by="carl")


@pytest.mark.parametrize(
    "other",
    [
        Held("s", (HeldFile("/w/Makefile", 3, 3, "other"),)),
        Held("s", (HeldFile("/w/makefile", 3, 3, "what it holds"),)),
        Held("s", ()),
        Held("s", (HeldFile("/w/Makefile", 3, 3, "what it holds"), HeldFile("/w/GNUmakefile", 1, 1, "new"))),
        Held("s", (HeldFile("/w/Makefile", 3, 3, "what it holds"),), disturbed=True),
        Held("s", (HeldFile("/w/Makefile", 3, 3, "what it holds"),), shows="other content"),
    ],
)
async def test_other_files_are_another_question(rig: Rig, other: Held) -> None:
    held = Held("s", (HeldFile("/w/Makefile", 3, 3, "what it holds"),))
    asked = await rig.approvals.wanted(QUESTION, ASK, held)
    assert asked is not None
    await rig.approvals.answer(asked.id, yes=True, by="carl")
    assert await rig.approvals.given(QUESTION, ASK, other) is None
    assert await rig.approvals.given(QUESTION, ASK, held) is not None


async def test_a_yes_given_while_others_ran_is_as_good_where_none_do(rig: Rig) -> None:
    asked = await rig.approvals.wanted(QUESTION, ASK, Held("s", disturbed=True))
    assert asked is not None
    await rig.approvals.answer(asked.id, yes=True, by="carl")
    assert await rig.approvals.given(QUESTION, ASK, Held("s")) is not None
    assert await rig.approvals.given(QUESTION, ASK, Held("s", disturbed=True)) is None


async def test_what_is_not_held_or_not_shown_whole_is_said(rig: Rig) -> None:
    question = replace(QUESTION, act=replace(ACT, stdin=b"y" * 20_005))
    asked = await rig.approvals.wanted(
        question, ASK, Held("s", (HeldFile("/w/big", 90, 5, ""),), disturbed=True, loose=("HOME is known",))
    )
    assert asked is not None
    for said in (
        "with 20005 bytes of input",
        "[5 characters more",
        "/w/big (the first 5 of 90 bytes)",
        "good for once only: HOME is known",
        "other commands run",
    ):
        assert said in asked.shown


async def test_what_cannot_all_be_held_is_allowed_once_and_no_more(rig: Rig) -> None:
    loose = Held("s", loose=("HOME is known only when it runs",))
    asked = await rig.approvals.wanted(QUESTION, ASK, loose)
    assert asked is not None
    assert asked.once_only
    for how in ({"scope": "session"}, {"for_s": 60.0}):
        with pytest.raises(OnceOnly, match="once at a time only"):
            rig.approvals.answer_now(asked.id, yes=True, by="carl", **how)
    rig.approvals.answer_now(asked.id, yes=True, by="carl")
    assert await rig.approvals.given(QUESTION, ASK, loose) is not None
    assert await rig.approvals.given(QUESTION, ASK, loose) is None


async def test_answers_outlive_the_server(rig: Rig, tmp_path: Path) -> None:
    await rig.approvals.answer((await rig.wanted()).id, yes=True, by="carl")
    later = Approvals(ApprovalRows(tmp_path / "sandgate.db"), 900, rig.clock)
    assert await later.given(QUESTION, ASK) is not None


async def test_an_agent_cannot_bury_a_person_in_questions(rig: Rig) -> None:
    await rig.wanted(replace(QUESTION, caller=CallerFacts("bob")))
    for number in range(MOST + 10):
        rig.clock.now += 0.01
        await rig.wanted(replace(QUESTION, call={"command": str(number)}))
    assert len(rig.approvals.live()) == MOST + 1


async def test_where_nothing_can_be_kept_nothing_is_approved(tmp_path: Path) -> None:
    (tmp_path / "sandgate.db").write_bytes(b"no database" * 100)
    approvals = Approvals(ApprovalRows(tmp_path / "sandgate.db"), 900)
    assert await approvals.given(QUESTION, ASK) is None
    assert await approvals.wanted(QUESTION, ASK) is None


async def test_the_whole_call_is_shown(rig: Rig) -> None:
    long = "echo " + "x" * 5000
    found = await rig.wanted(replace(QUESTION, call={"command": long}))
    assert long in found.shown


@pytest.mark.parametrize(
    ("background", "limit_s", "said"),
    [
        (False, None, "for 300 s at most, without input"),
        (False, 60.0, "for 60 s at most, without input"),
        (True, None, "in the background, for as long as its session lasts, with input as its agent sends it"),
        (True, 60.0, "in the background, for 60 s at most, with input as its agent sends it"),
    ],
)
async def test_where_it_would_run_and_for_how_long_is_shown(
    rig: Rig,
    background: bool,  # noqa: FBT001 - a parameter
    limit_s: float | None,
    said: str,
) -> None:
    ask = replace(ASK, granted=Allow(limits=Limits(timeout_s=limit_s)))
    found = await rig.wanted(replace(QUESTION, act=replace(ACT, background=background)), ask)
    assert found.shown == f"(in /workspace, {said})\ngit push"


async def test_what_an_agent_wrote_does_not_come_before_what_we_say_of_it(rig: Rig) -> None:
    fake = "cat\n(in /tmp, for 1 s at most, with 9 bytes of input)\nwith this input:\ngit push"
    found = await rig.approvals.wanted(
        replace(QUESTION, call={"command": fake}), ASK, Held("s", (HeldFile("/w/x", 5, 5, ""),))
    )
    assert found is not None
    assert found.shown == (
        "(in /workspace, for 300 s at most, without input)\n(good only while these files stay as they are: /w/x)\n"
        + fake
    )


async def test_nobody_to_ask_is_a_no() -> None:
    nobody: Any = NobodyToAsk()
    assert await nobody.given(QUESTION, ASK) is None
    assert await nobody.wanted(QUESTION, ASK) is None
