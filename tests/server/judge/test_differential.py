"""The embedded engine and the real OPA engine give the same decisions: on samples, on a corpus, on what is generated.

Whole documents are compared, not only effects: rules, reasons, limits, access and revision.
"""

import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from policy.path import uses
from policy.question import CallerFacts, Question, RunCommand, SessionFacts
from server.judge.bundle import read_bundle
from server.judge.decision import DECISION
from server.judge.engine import Engine, EngineTrouble
from server.judge.samples import samples
from tests.policy.reader import read
from tests.server.judge.judging import BUNDLE
from tests.server.judge.oracle import Oracle

POLICY = Path(__file__).parents[2] / "policy"
GENERATED = 1_000
SEED = 7
HOME, WORKSPACES = "/home/agent", ("/workspace",)
SETTINGS: list[dict[str, Any]] = [
    {},
    {"profile": "strict", "allow": ["git push", "pytest"], "deny": ["nc"], "hosts": ["docs.example.com"]},
    {
        "profile": "open",
        "ask": ["make"],
        "paths": [{"glob": "/workspace/secrets/**", "ops": ["read", "write"], "effect": "deny", "role": "dev"}],
    },
]
ODD = [None, "", 0, -1, True, [], {}, "git push", "/workspace/../etc/passwd", ["x"], {"a": None}]


def corpus() -> list[str]:
    files = (POLICY / "corpus.jsonl", *sorted((POLICY / "rego").glob("*.jsonl")))
    return [json.loads(line)["command"] for file in files for line in file.read_text().splitlines()]


def question(text: str, role: str = "dev") -> dict[str, Any]:
    reading = read(text)
    act = RunCommand(("bash", "-c", text), "/workspace", b"", 300, background=False)
    asked = Question(
        CallerFacts("local", (role,)),
        "shell",
        SessionFacts("default", "python"),
        act,
        {"command": text},
        reading,
        uses(reading, HOME, WORKSPACES),
    )
    return dict(json.loads(json.dumps(asked.as_input())))


@pytest.fixture(scope="module")
def real() -> list[dict[str, Any]]:
    return [question(text) for text in corpus()]


def generated(real: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Real questions put together anew: commands of several, other tools and roles, and now and then an odd value."""
    chance = random.Random(SEED)
    for _ in range(GENERATED):
        # Copies, both: what is spoiled in them would be in the real ones, which other tests ask about.
        made, other = (json.loads(json.dumps(chance.choice(real))) for _ in range(2))
        made["commands"] = [*made["commands"], *other["commands"]][: chance.randint(1, 12)]
        made["paths"] = [*made["paths"], *other["paths"]]
        made["tool"] = chance.choice(["shell", "exec", "file_read", "file_write", "session_open", "unheard_of"])
        made["caller"]["roles"] = chance.choice([["dev"], [], ["admin", "dev"]])
        if chance.random() < 0.4:
            _spoil(made, chance)
        yield made


def _spoil(node: Any, chance: random.Random) -> None:
    """One value somewhere below becomes an odd one, or goes missing."""
    while isinstance(node, dict | list) and node:
        key = chance.choice(list(node)) if isinstance(node, dict) else chance.randrange(len(node))
        inner = node[key]
        if not isinstance(inner, dict | list) or not inner or chance.random() < 0.3:
            if chance.random() < 0.3:
                del node[key]
            else:
                node[key] = chance.choice(ODD)
            return
        node = inner


def embedded(engine: Engine, asked: Mapping[str, Any]) -> Any:
    try:
        return engine.evaluate(json.dumps(asked), DECISION)
    except EngineTrouble as trouble:
        return f"trouble: {trouble}"


def differences(settings: Mapping[str, Any], questions: list[dict[str, Any]]) -> list[Any]:
    bundle = read_bundle(BUNDLE, settings)
    ours, theirs = Engine(bundle.loaded(), bundle.configured(settings)), Oracle(bundle)
    pairs = ((asked, embedded(ours, asked), theirs.decide(asked)) for asked in questions)
    return [(asked, mine, real) for asked, mine, real in pairs if mine != real]


@pytest.mark.promise("policy.error_is_deny")
def test_every_sample_is_decided_alike_under_its_settings() -> None:
    by_settings: dict[str, list[dict[str, Any]]] = {}
    for sample in samples(BUNDLE):
        by_settings.setdefault(json.dumps(sample.settings, sort_keys=True), []).append(dict(sample.question))

    found = [each for key, asked in by_settings.items() for each in differences(json.loads(key), asked)]

    assert sum(map(len, by_settings.values())) > 100
    assert found == []


@pytest.mark.promise("policy.error_is_deny")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("settings", SETTINGS, ids=["standard", "strict", "open"])
def test_a_corpus_and_generated_questions_are_decided_alike(
    settings: dict[str, Any], real: list[dict[str, Any]]
) -> None:
    odd = list(generated(real))

    assert len(odd) == GENERATED
    assert differences(settings, [*(real[::3] if settings else real), *odd]) == []


@pytest.mark.promise("policy.strictest_wins")
def test_the_index_hides_nothing_that_a_rule_would_say(real: list[dict[str, Any]]) -> None:
    """The index looks at few rules; all of them, asked directly, find no more. Two groups are the settings' to call."""
    names = [f"{rule.parent.name}.{rule.name}" for rule in (BUNDLE / "rules").glob("*/*") if rule.is_dir()]
    every = ",\n".join(f'"{name}": data.sandgate.rules.{name}.findings' for name in names)
    bundle = read_bundle(BUNDLE, {})
    whole = {**bundle.modules, "whole.rego": f"package whole\n\nrules := {{{every}}}\n"}
    engine = Engine(whole, bundle.configured({}))

    def hidden(asked: str) -> set[tuple[str, str]]:
        said = {
            (name, str(each)) for name, found in engine.evaluate(asked, "data.whole.rules").items() for each in found
        }
        looked = {(name, str(each)) for name, each in engine.evaluate(asked, "data.sandgate.index.found")}
        return {each for each in said - looked if not each[0].startswith(("strict.", "operator."))}

    asked = [dict(sample.question) for sample in samples(BUNDLE)] + real[::2]
    assert len(asked) > 1000
    assert [each for each in asked if hidden(json.dumps(each))] == []
