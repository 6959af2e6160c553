"""The judge in force is whole: before a change the old one, after it the new one, never neither."""

from pathlib import Path

import anyio
import pytest

from policy.verdict import Allow, Ask, Verdict
from server.judge.bundle import read_bundle
from server.judge.current import CurrentJudge
from server.judge.rego import RegoJudge
from tests.server.judge.judging import BUNDLE, asks, command, custom_rule, ids

pytestmark = [pytest.mark.anyio, pytest.mark.asyncio_alone]


PUSH = asks(command("git", "push"))
SLOW = """findings contains {"effect": "ask", "reason": "slow", "help": "-"} if {
\tinput.call.command == "slow"
\tcount([1 | some i in numbers.range(1, 700); some j in numbers.range(1, 700); i * j == 7]) > 0
}"""


async def test_from_the_next_question_on_the_new_judge_answers() -> None:
    before, after = RegoJudge.load(BUNDLE, {}), RegoJudge.load(BUNDLE, {"allow": ["git push"]})
    current = CurrentJudge(before)
    first = await current.decide(PUSH)

    current.replace(after)
    second = await current.decide(PUSH)

    assert isinstance(first, Ask)
    assert isinstance(second, Allow)
    assert (first.revision, second.revision) == (before.revision, after.revision)


@pytest.mark.promise("policy.error_is_deny")
async def test_the_judge_that_was_replaced_is_closed() -> None:
    before = RegoJudge.load(BUNDLE, {})
    current = CurrentJudge(before)

    current.replace(RegoJudge.load(BUNDLE, {}))

    assert ids(await before.decide(PUSH)) == ["engine.error"]
    current.close()


@pytest.mark.promise("policy.error_is_deny")
async def test_closing_closes_the_judge_in_force() -> None:
    current = CurrentJudge(RegoJudge.load(BUNDLE, {}))

    current.close()

    assert ids(await current.decide(PUSH)) == ["engine.error"]


async def test_a_question_under_way_is_answered_by_the_judge_it_was_put_to(tmp_path: Path) -> None:
    before = RegoJudge(read_bundle(BUNDLE, {}, [custom_rule(tmp_path, SLOW)]), 20.0)
    child = before._child._child if before._child else None
    after = RegoJudge.load(BUNDLE, {})
    current, answers = CurrentJudge(before), list[Verdict]()

    async def put() -> None:
        answers.append(await current.decide(asks(command("ls"), text="slow")))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(put)
        tasks.start_soon(put)  # has its turn only after the first, and after the change
        await anyio.wait_all_tasks_blocked()
        current.replace(after)
        assert isinstance(await current.decide(asks(command("ls"))), Allow)

    assert [ids(answer) for answer in answers] == [["custom.house"]] * 2
    assert {answer.revision for answer in answers} == {before.revision}
    assert child is not None
    assert child.poll() is not None
    current.close()
