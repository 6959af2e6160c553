"""Known answers, asked before a policy is used: an engine that is broken or replaced must not be believed."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from policy.verdict import Allow, Ask, Deny, Verdict
from server.judge.bundle import Bundle, BundleError
from server.judge.decision import DECISION, verdict
from server.judge.engine import Engine, EngineTrouble, Evaluates
from server.judge.samples import Sample

_FEWEST = 10  # known answers without which nothing is proved


def try_rules(bundle: Bundle) -> None:
    """Ask our rules, without an operator's, the first samples of each: about 50 ms. Raises BundleError."""
    chosen = [next(group) for _, group in groupby(_plain(bundle), lambda sample: (sample.rule, sample.denied))]
    if len(chosen) < _FEWEST:
        raise BundleError("the policy has too few samples with known answers to be tried")
    wrong = next(wrong_answers(bundle, chosen), None)
    if wrong:
        raise BundleError(wrong)


def try_engine(bundle: Bundle, engine: Evaluates) -> None:
    """Ask the engine in use, with all that an operator wrote, what no setting changes. Raises BundleError."""
    for question in _hopeless(bundle.samples):
        answer = _asked(engine, question, bundle.revision)
        if not isinstance(answer, Deny) or answer.rules[0].id == "engine.error":
            raise BundleError("the policy does not deny what no setting may allow")
    for sample in _plain(bundle):
        if sample.rule.startswith("files."):  # they hold commands and paths, so an operator's data is met as well
            _not_in_trouble(_asked(engine, sample.question, bundle.revision), sample)


def wrong_answers(bundle: Bundle, chosen: Sequence[Sample]) -> Iterator[str]:
    """A sentence for each sample that our rules, without an operator's, answer otherwise. Raises BundleError."""
    engines: dict[str, Engine] = {}
    for sample in chosen:
        key = json.dumps(sample.settings, sort_keys=True)
        if key not in engines:
            engines[key] = Engine(bundle.linked, bundle.configured(sample.settings))
        answer = _asked(engines[key], sample.question, bundle.revision)
        if _effect(answer) != sample.effect or (sample.rule in {rule.id for rule in answer.rules}) != sample.denied:
            said = ", ".join(f"{rule.id}: {rule.reason}" for rule in answer.rules) or "allowed"
            yield f"the sample {sample.title!r} of {sample.rule} is to be {sample.effect}, and the answer was {said}"


def _plain(bundle: Bundle) -> list[Sample]:
    """One engine answers all of these."""
    return [sample for sample in bundle.samples if not sample.settings]


def _hopeless(samples: Sequence[Sample]) -> Iterator[Mapping[str, Any]]:
    yield {}
    yield {"version": 0}
    yield from (sample.question for sample in samples if sample.rule == "files.gate" and sample.denied)


def _asked(engine: Evaluates, question: Mapping[str, Any], revision: str) -> Verdict:
    try:
        return verdict(engine.evaluate(json.dumps(question, ensure_ascii=False), DECISION), revision)
    except EngineTrouble as trouble:
        raise BundleError(f"the policy cannot be evaluated: {trouble}") from None


def _not_in_trouble(answer: Verdict, sample: Sample) -> None:
    if isinstance(answer, Deny) and any(rule.id == "engine.error" for rule in answer.rules):
        raise BundleError(f"the policy has no answer to the sample {sample.title!r} of {sample.rule}")


def _effect(answer: Verdict) -> str:
    match answer:
        case Allow():
            return "allow"
        case Ask():
            return "ask"
        case Deny():
            return "deny"
