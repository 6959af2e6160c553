"""The engine's answers come as values, its failures as one sentence, and its panics never reach anybody."""

import pytest

from server.judge import engine as module_of_engine
from server.judge.decision import DECISION, verdict
from server.judge.engine import Engine, EngineTrouble
from tests.server.judge.judging import ids


@pytest.mark.promise("policy.error_is_deny")
@pytest.mark.parametrize(
    "module",
    [
        "decision := 1",
        "decision := {}",
        "other := 1",
        "decision := 1 / input.nothing",
        'decision := substring(1, "a", 2)',
    ],
)
def test_an_engine_that_answers_oddly_or_not_at_all_is_denied(module: str) -> None:
    engine = Engine({"main.rego": f"package sandgate\n\n{module}\n"}, ())
    try:
        document = engine.evaluate("{}", DECISION)
    except EngineTrouble:
        return
    assert ids(verdict(document, "r")) == ["engine.error"]


@pytest.mark.promise("policy.error_is_deny")
def test_a_panic_is_trouble_and_does_not_end_the_program() -> None:
    engine = Engine({"p.rego": 'package p\n\nq := strings.count(input.x, "")\n'}, ())
    with pytest.raises(EngineTrouble):
        engine.evaluate('{"x": "a"}', "data.p.q")


def test_documents_are_merged_and_a_rule_is_answered_as_a_value() -> None:
    engine = Engine({"p.rego": "package p\n\nq := [input.x, data.a, data.b]\n"}, [{"a": 1}, {"b": {"c": "ü"}}])

    assert engine.evaluate('{"x": null}', "data.p.q") == [None, 1, {"c": "ü"}]


@pytest.mark.promise("policy.error_is_deny")
def test_one_question_leaves_nothing_for_the_next() -> None:
    engine = Engine({"p.rego": "package p\n\nq := input.x\n"}, ())
    assert engine.evaluate('{"x": 1}', "data.p.q") == 1

    with pytest.raises(EngineTrouble, match=r"data\.p\.q is undefined"):
        engine.evaluate("{}", "data.p.q")


@pytest.mark.parametrize("module", ["package p\n\nq := (\n", "not rego", ""], ids=["open", "words", "empty"])
def test_a_module_that_is_no_rego_is_trouble_in_one_sentence(module: str) -> None:
    with pytest.raises(EngineTrouble, match=r"^p\.rego:\d+:\d+: ") as trouble:
        Engine({"p.rego": module}, ())

    assert "\n" not in str(trouble.value)


def test_documents_that_contradict_each_other_are_trouble() -> None:
    with pytest.raises(EngineTrouble):
        Engine({}, [{"a": 1}, {"a": 2}])


@pytest.mark.parametrize("question", ["", "{", "\ud800"], ids=["empty", "cut", "no unicode"])
def test_a_question_that_is_no_json_is_trouble(question: str) -> None:
    with pytest.raises(EngineTrouble):
        Engine({"p.rego": "package p\n\nq := 1\n"}, ()).evaluate(question, "data.p.q")


def test_syntax_trees_come_in_the_order_of_their_modules() -> None:
    engine = Engine({"b.rego": "package b\n", "a.rego": "package a\n"}, ())

    names = [tree["ast"]["package"]["refr"]["Var"]["value"] for tree in engine.syntax()]

    assert names == ["b", "a"]


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_the_program_is_not_taken_for_a_panic(end: type[BaseException]) -> None:
    with pytest.raises(end):
        module_of_engine._translated(end())
