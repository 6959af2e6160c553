"""An operator's rules run in a child: it meets its deadline, is replaced when it dies, and outlives nobody."""

import json
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from policy.verdict import Allow
from server.judge import engine_process
from server.judge.engine import EngineTrouble
from server.judge.engine_process import MOST_DEATHS, EngineProcess
from tests.server.judge.judging import asks, command, custom_rule, ids, judge
from tests.waiting import eventually

pytestmark = pytest.mark.anyio

SLOW = """findings contains {"effect": "ask"} if {
\tinput.call.command == "slow"
\tcount([1 | some i in numbers.range(1, 20000); some j in numbers.range(1, 20000); i * j == 7]) > 0
}"""
ECHO = {"p.rego": "package p\n\nq := input.x\n\nmany := numbers.range(1, 400000)\n"}


@pytest.fixture
def echo() -> Iterator[EngineProcess]:
    with closing(EngineProcess(ECHO, (), 5.0)) as made:
        yield made


def kill(process: EngineProcess) -> None:
    assert process._child is not None
    process._child.kill()
    process._child.wait()


def ask(process: EngineProcess, value: object) -> object:
    return process.evaluate(json.dumps({"x": value}), "data.p.q")


@pytest.mark.promise("policy.error_is_deny")
async def test_an_operators_rule_that_never_ends_meets_its_deadline_and_is_denied(tmp_path: Path) -> None:
    rule = custom_rule(tmp_path, SLOW)
    with judge(None, rule, deadline_s=3) as loaded:  # within which a busy machine answers the quick one
        answer = await loaded.decide(asks(command("ls"), text="slow"))
        assert ids(answer) == ["engine.error"]
        assert "longer than 3 s" in answer.rules[0].reason
        assert isinstance(await loaded.decide(asks(command("ls"), text="quick")), Allow)


@pytest.mark.promise("policy.error_is_deny")
async def test_an_operators_rule_that_kills_the_engine_again_and_again_denies_everything(tmp_path: Path) -> None:
    rule = custom_rule(
        tmp_path,
        'findings contains {"effect": "ask", "reason": f(1), "help": ""} if input.call.command == "crash"\n\nf(x) := f(x + 1)',
    )
    with judge(None, rule, deadline_s=0.5) as loaded:
        for _ in range(3):
            assert ids(await loaded.decide(asks(command("ls"), text="crash"))) == ["engine.error"]
        answer = await loaded.decide(asks(command("ls"), text="fine"))
        assert ids(answer) == ["engine.error"]
        assert "too often" in answer.rules[0].reason


async def test_closing_waits_for_no_question_and_leaves_no_process(tmp_path: Path) -> None:
    rule = custom_rule(tmp_path, SLOW)
    with judge(None, rule, deadline_s=2) as loaded:
        assert loaded._child is not None
        asked, child = loaded._child._lock.locked, loaded._child._child
        assert child is not None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(loaded.decide, asks(command("ls"), text="slow"))
            await eventually(asked)
            loaded.close()
            assert asked()
        assert child.poll() is not None
        assert ids(await loaded.decide(asks(command("ls")))) == ["engine.error"]


@pytest.mark.promise("policy.error_is_deny")
def test_a_child_that_gets_no_turn_was_too_slow_as_well() -> None:
    with closing(EngineProcess(ECHO, (), 0.1)) as slow:
        assert slow._child is not None
        slow._child.send_signal(signal.SIGSTOP)

        with pytest.raises(EngineTrouble, match=r"took longer than 0\.1 s"):
            ask(slow, 1)


def test_the_child_answers_as_the_engine_does(echo: EngineProcess) -> None:
    assert ask(echo, {"text": "ü\n\u2028", "none": None}) == {"text": "ü\n\u2028", "none": None}
    with pytest.raises(EngineTrouble, match=r"data\.p\.q is undefined"):
        echo.evaluate("{}", "data.p.q")
    assert ask(echo, 1) == 1


@pytest.mark.promise("policy.error_is_deny")
def test_a_child_that_somebody_killed_is_one_refusal_and_then_replaced(echo: EngineProcess) -> None:
    kill(echo)

    with pytest.raises(EngineTrouble, match="stopped the policy engine"):
        ask(echo, 1)
    assert ask(echo, 2) == 2


def test_deaths_count_only_in_a_row(echo: EngineProcess) -> None:
    for _ in range(MOST_DEATHS + 1):
        kill(echo)
        with pytest.raises(EngineTrouble, match="stopped the policy engine"):
            ask(echo, 1)
        assert ask(echo, 2) == 2


@pytest.mark.promise("policy.error_is_deny")
def test_an_answer_without_end_is_trouble(echo: EngineProcess) -> None:
    with pytest.raises(EngineTrouble):
        echo.evaluate("{}", "data.p.many")


@pytest.mark.promise("policy.error_is_deny")
def test_where_the_queue_is_too_long_the_answer_is_no(echo: EngineProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_process, "QUEUE_S", 0.01)

    with echo._lock, pytest.raises(EngineTrouble, match="busy"):
        ask(echo, 1)


def test_the_child_knows_nothing_of_our_environment(echo: EngineProcess) -> None:
    assert echo._child is not None

    assert Path(f"/proc/{echo._child.pid}/environ").read_bytes() == b""
