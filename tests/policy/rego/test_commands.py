"""The whole chain, shell text to verdict: known evasions are caught, and ordinary work is not in anybody's way."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from policy.path import uses
from policy.question import CallerFacts, Question, RunCommand, SessionFacts
from policy.verdict import Allow, Verdict
from server.judge.rego import RegoJudge
from server.judge.shfmt import ShellParser
from tests.waiting import PATIENCE_S

HERE = Path(__file__).parent
BUNDLE = Path(__file__).parents[3] / "policy" / "rego"
HOME, WORKSPACES = "/home/agent", ("/workspace",)
ENOUGH = {"allow": ["allow"], "ask": ["ask", "deny"], "deny": ["deny"]}
pytestmark = [pytest.mark.anyio, pytest.mark.asyncio_alone]


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (HERE / name).read_text().splitlines()]


async def verdicts(texts: list[str]) -> list[Verdict]:
    judge = RegoJudge.load(BUNDLE, {})
    async with ShellParser(timeout_s=PATIENCE_S) as parser:
        return [await judge.decide(await question(parser, text)) for text in texts]


async def question(parser: ShellParser, text: str) -> Question:
    reading = await parser.read_script(text, "/workspace", HOME, WORKSPACES)
    act = RunCommand(("bash", "-c", text), "/workspace", b"", 300, background=False)
    session, paths = SessionFacts("default", "python"), uses(reading, HOME, WORKSPACES)
    return Question(CallerFacts("local"), "shell", session, act, {"command": text}, reading, paths)


@pytest.mark.promise("policy.strictest_wins")
@pytest.mark.parametrize("name", ["evasions.jsonl", "own_evasions.jsonl", "near_evasions.jsonl"])
async def test_every_known_evasion_gets_the_verdict_it_needs_or_a_stricter_one(name: str) -> None:
    evasions = lines(name)
    found = await verdicts([evasion["command"] for evasion in evasions])
    weak = [
        (evasion["id"], evasion["command"], verdict.effect)
        for evasion, verdict in zip(evasions, found, strict=True)
        if verdict.effect not in ENOUGH[evasion["verdict"].removesuffix("_contained")]
    ]
    assert weak == []


async def test_ordinary_work_is_seldom_asked_about() -> None:
    commands = [entry["command"] for entry in lines("commands.jsonl")]
    found = await verdicts(commands)
    counts = Counter(verdict.effect for verdict in found)
    assert counts["allow"] >= 0.85 * len(commands), counts
    for command, verdict in zip(commands, found, strict=True):
        assert isinstance(verdict, Allow) or all(rule.help for rule in verdict.rules), command


@pytest.mark.parametrize("name", ["own_commands.jsonl", "daily_commands.jsonl"])
async def test_a_developers_day_is_never_asked_about(name: str) -> None:
    commands = [entry["command"] for entry in lines(name)]
    found = await verdicts(commands)
    assert [command for command, verdict in zip(commands, found, strict=True) if not isinstance(verdict, Allow)] == []
