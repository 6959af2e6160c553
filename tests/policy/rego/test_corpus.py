"""What `standard` says to the commands of the reader's corpus of which there is no doubt."""

import json
from pathlib import Path

import pytest

from tests.policy.rego.test_commands import verdicts

CORPUS = [json.loads(line) for line in (Path(__file__).parents[1] / "corpus.jsonl").read_text().splitlines()]
DECIDED = [case for case in CORPUS if "effect" in case]
pytestmark = [pytest.mark.anyio, pytest.mark.asyncio_alone]


async def test_a_command_of_the_corpus_gets_the_effect_it_needs() -> None:
    found = await verdicts([case["command"] for case in DECIDED])
    wrong = [
        (case["command"], verdict.effect)
        for case, verdict in zip(DECIDED, found, strict=True)
        if verdict.effect != case["effect"]
    ]

    assert wrong == []


def test_the_corpus_is_large_and_has_no_command_twice() -> None:
    assert len({case["command"] for case in CORPUS}) == len(CORPUS)
    assert len(CORPUS) >= 400
    assert {case["effect"] for case in DECIDED} == {"allow", "ask", "deny"}
