"""An engine that is broken or replaced is not believed: it is asked what is known first."""

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest

from server.judge.bundle import Bundle, BundleError, read_bundle
from server.judge.engine import Engine, EngineTrouble, Evaluates
from server.judge.self_test import try_engine, try_rules, wrong_answers
from tests.server.judge.judging import BUNDLE

pytestmark = pytest.mark.promise("policy.error_is_deny")


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return read_bundle(BUNDLE, {})


@pytest.fixture(scope="module")
def engine(bundle: Bundle) -> Engine:
    return Engine(bundle.modules, bundle.configured({}))


@dataclass
class Says:
    """An engine in whose place another one answers."""

    answer: Any

    def evaluate(self, question: str, rule: str) -> Any:
        return self.answer


@dataclass
class Fails:
    """An engine that is well until it is asked about an ordinary file, as one with an operator's bad rule is."""

    behind: Evaluates
    trouble: bool

    def evaluate(self, question: str, rule: str) -> Any:
        if not json.loads(question).get("paths"):
            return self.behind.evaluate(question, rule)
        if self.trouble:
            raise EngineTrouble("out of luck")
        return {**self.behind.evaluate(question, rule), "revision": "another"}


def allowing(revision: str) -> Says:
    access = {"read": ["/"], "write": ["/"], "execute": ["/"]}
    limits = {"timeout_s": None, "output_bytes": None}
    return Says({"effect": "allow", "rules": [], "limits": limits, "access": access, "revision": revision})


def test_our_own_rules_and_engine_pass(bundle: Bundle, engine: Engine) -> None:
    try_rules(bundle)
    try_engine(bundle, engine)


def test_an_engine_that_allows_everything_is_found_out(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="does not deny what no setting may allow"):
        try_engine(bundle, allowing(bundle.revision))


@pytest.mark.parametrize("answer", [None, {}, "deny"], ids=str)
def test_an_engine_that_answers_nothing_of_use_is_found_out(bundle: Bundle, answer: Any) -> None:
    with pytest.raises(BundleError, match="does not deny what no setting may allow"):
        try_engine(bundle, Says(answer))


def test_an_engine_that_fails_on_some_questions_is_found_out(bundle: Bundle, engine: Engine) -> None:
    with pytest.raises(BundleError, match="cannot be evaluated: out of luck"):
        try_engine(bundle, Fails(engine, trouble=True))
    with pytest.raises(BundleError, match=r"the policy (has no answer|does not deny)"):
        try_engine(bundle, Fails(engine, trouble=False))


def test_too_few_samples_prove_nothing(bundle: Bundle) -> None:
    few = replace(bundle, samples=bundle.samples[:9])

    with pytest.raises(BundleError, match="too few samples"):
        try_rules(few)


def test_a_wrong_answer_is_a_sentence_with_the_sample_and_what_was_said(bundle: Bundle) -> None:
    sample = next(sample for sample in bundle.samples if sample.rule == "privilege.tools" and sample.denied)

    assert list(wrong_answers(bundle, [sample])) == []
    (sentence,) = wrong_answers(bundle, [replace(sample, effect="allow", denied=False)])
    assert sample.title in sentence
    assert "is to be allow, and the answer was privilege.tools: " in sentence


def test_a_sample_that_is_denied_by_another_rule_is_a_wrong_answer(bundle: Bundle) -> None:
    sample = next(sample for sample in bundle.samples if sample.rule == "privilege.tools" and sample.denied)

    assert len(list(wrong_answers(bundle, [replace(sample, rule="files.gate")]))) == 1
