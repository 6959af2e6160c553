"""What may leave is decided alike by the embedded engine, by the real OPA engine, and by the gate that holds the list."""

import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from egress.allowlist import Allowlist
from egress.destination import BadName, Destination
from policy.question import CallerFacts, Question, SessionFacts, UseHost
from server.judge.bundle import Bundle, read_bundle
from server.judge.decision import HOSTS, REQUEST
from server.judge.engine import Engine, EngineTrouble
from tests.server.judge.judging import BUNDLE, custom_rule
from tests.server.judge.oracle import Oracle

GENERATED, SEED = 1_200, 11
NAMES = (
    "a.test",
    "b.test",
    "x.a.test",
    "deep.x.a.test",
    "xa.test",
    "a.test.evil",
    "test",
    "localhost",
    "xn--bcher-kva.test",
)
HOSTS_ASKED = (*NAMES, "127.0.0.1", "10.0.0.7", "fd00::1", "1.2.3")
PATHS = (
    "/",
    "/v1",
    "/v1/x",
    "/v1/x/y",
    "/v1/%2e%2e/x",
    "/v1//x",
    "/v1/../x",
    "/v1/x;/y",
    "/ä",
    "/v1/(x)",
    "/v1/x.json",
    "/v1/%252e%252e/x",
    "/v1/%c0%ae./x",
    "/v1/..%00/x",
    "/v1/..%20/x",
    "/v1/%ef%bc%8e./x",
    "/v1/%u002e./x",
    "/v1/.x",
    "/v1/100%25",
    "/v1/a%20b",
)
GLOBS = ("/v1/*", "/v1/**", "/", "/**", "/v1/(x)", "/v1/*.json", "/ä")
METHODS = ("GET", "POST", "DELETE")
ROLES = ("dev", "admin", "user")
ODD = [None, "", 0, -1, 443.5, True, [], {}, "443", ["x"], {"a": None}]
RULES = """findings contains {"effect": "deny", "reason": "never", "help": "no"} if input.tool == "no such"

egress_findings contains {"effect": "deny", "reason": "no posts", "help": "read only"} if input.egress.method == "POST"

egress_findings contains {"effect": "ask", "reason": "a secret place", "help": "ask"} if {
	startswith(input.egress.path, "/v1/x")
}"""


def entry(chance: random.Random) -> Any:
    host = chance.choice(["{}", "*.{}", "{}:8443", "*.{}:8443"]).format(chance.choice((*NAMES[:6], "bücher.test")))
    kind = chance.random()
    if kind < 0.1:
        return "tcp://a.test:5432"
    if kind < 0.2:
        return {"host": "*", "ask": True}
    if kind < 0.4:
        return host
    made: dict[str, Any] = {"host": host}
    if chance.random() < 0.5:
        made["methods"] = chance.sample(["get", "POST", "DELETE"], chance.randint(1, 2))
    if chance.random() < 0.5:
        made["paths"] = chance.sample(GLOBS, chance.randint(1, 2))
    if chance.random() < 0.4:
        made["roles"] = chance.sample(ROLES, chance.randint(1, 2))
    if chance.random() < 0.3:
        made["ask"] = True
    return made


def asked(chance: random.Random) -> UseHost:
    port = chance.choice([80, 443, 443, 443, 8443, 5432])
    if chance.random() < 0.2:
        return UseHost(chance.choice(HOSTS_ASKED), port)
    return UseHost(chance.choice(HOSTS_ASKED), port, chance.choice(METHODS), chance.choice(PATHS))


def question(act: UseHost, roles: tuple[str, ...]) -> dict[str, Any]:
    made = Question(CallerFacts("ann", roles), "network", SessionFacts("default", "base"), act, {})
    return dict(json.loads(json.dumps(made.as_input())))


def questions(chance: random.Random, count: int) -> Iterator[dict[str, Any]]:
    """As they are asked, and now and then with one part odd or missing."""
    for _ in range(count):
        made = question(asked(chance), tuple(chance.sample(ROLES, chance.randint(0, 2))))
        if chance.random() < 0.2:
            where = made if chance.random() < 0.3 else chance.choice([made["egress"], made["caller"]])
            key = chance.choice(list(where))
            if chance.random() < 0.3:
                del where[key]
            else:
                where[key] = chance.choice(ODD)
        yield made


def lists(chance: random.Random) -> list[Any]:
    return [entry(chance) for _ in range(chance.randint(0, 8))]


def embedded(engine: Engine, asked: Mapping[str, Any], rule: str) -> Any:
    try:
        return engine.evaluate(json.dumps(asked), rule)
    except EngineTrouble as trouble:
        return f"trouble: {trouble}"


def differences(bundle: Bundle, questions: list[dict[str, Any]]) -> list[Any]:
    ours, theirs = Engine(bundle.loaded(), bundle.configured(bundle.settings)), Oracle(bundle)
    found = (
        (each, rule, embedded(ours, each, rule), theirs.decide(each, rule))
        for each in questions
        for rule in (REQUEST, HOSTS)
    )
    return [(each, rule, mine, real) for each, rule, mine, real in found if mine != real]


@pytest.mark.promise("policy.error_is_deny")
@pytest.mark.parametrize("custom", [False, True], ids=["ours", "operator's too"])
def test_both_engines_decide_generated_questions_alike(tmp_path: Path, *, custom: bool) -> None:
    chance = random.Random(SEED)
    rules = [custom_rule(tmp_path, RULES)] if custom else []
    for _ in range(4):
        bundle = read_bundle(BUNDLE, {"egress": lists(chance)}, rules)
        assert differences(bundle, list(questions(chance, GENERATED // 12))) == []


@pytest.mark.promise("egress.only_gate")
def test_the_gate_that_holds_the_list_lets_pass_what_the_policy_allows_and_asks_what_it_asks() -> None:
    chance, effects = random.Random(SEED), set[str]()
    for _ in range(20):
        entries = lists(chance)
        bundle = read_bundle(BUNDLE, {"egress": entries})
        engine = Engine(bundle.loaded(), bundle.configured(bundle.settings))
        roles = tuple(chance.sample(ROLES, chance.randint(0, 2)))
        held = Allowlist.parse(embedded(engine, question(UseHost("", 0), roles), HOSTS)["entries"])
        for act in [each for _ in range(50) if (each := asked(chance)).method]:
            told = embedded(engine, question(act, roles), REQUEST)["effect"]
            effects.add(told)
            assert told == at_the_gate(held, act), (entries, act, roles)
    assert effects == {"allow", "ask", "deny"}


def at_the_gate(held: Allowlist, act: UseHost) -> str:
    try:
        destination = Destination.of(act.host, act.port)
    except BadName:
        return "deny"
    if held.why_not(destination, act.method, act.path) is None:
        return "allow"
    return "ask" if held.asks_about(destination, act.method, act.path) else "deny"
