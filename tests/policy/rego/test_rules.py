"""Every rule of the bundle: its own Rego tests, its samples, and that nothing of it can be forgotten."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.judge.bundle import read_bundle
from server.judge.rego_tests import TestResult, names_of_tests, run_tests
from server.judge.samples import samples
from server.judge.self_test import wrong_answers

BUNDLE = Path(__file__).parents[3] / "policy" / "rego"
RULES = sorted(path for path in (BUNDLE / "rules").glob("*/*") if path.is_dir())
SAMPLES = tuple(samples(BUNDLE))
TESTS = sorted(names_of_tests({str(path): path.read_text() for path in BUNDLE.rglob("*_test.rego")}))


def name(path: Path) -> str:
    return f"{path.parent.name}.{path.name}"


def modules() -> Iterator[Path]:
    return (path for path in BUNDLE.rglob("*.rego") if not path.name.endswith("_test.rego"))


@pytest.fixture(scope="module")
def results() -> dict[str, TestResult]:
    return {result.name: result for result in run_tests(BUNDLE)}


@pytest.mark.parametrize("test", TESTS)
def test_the_rego_test_holds(test: str, results: dict[str, TestResult]) -> None:
    assert results[test].trouble == ""


def test_every_rego_test_is_run(results: dict[str, TestResult]) -> None:
    assert sorted(results) == TESTS


def test_every_sample_gets_its_known_answer() -> None:
    assert list(wrong_answers(read_bundle(BUNDLE, {}), SAMPLES)) == []


@pytest.mark.parametrize("rule", RULES, ids=name)
def test_a_rule_has_tests_of_both_kinds_and_samples(rule: Path) -> None:
    tests = (rule / f"{rule.name}_test.rego").read_text()
    assert "_is_found if" in tests
    assert "_is_let_pass if" in tests
    kinds = {sample.denied for sample in SAMPLES if sample.rule == name(rule)}
    assert kinds == {True, False}


@pytest.mark.parametrize("rule", RULES, ids=name)
def test_a_rule_is_described(rule: Path) -> None:
    text = (rule / f"{rule.name}.rego").read_text()
    assert text.startswith("# METADATA\n# title: ")
    assert "\n# description: " in text


@pytest.mark.promise("refusal.teaches")
def test_every_refusal_says_what_was_seen_and_what_would_be_allowed() -> None:
    for rule in RULES:
        text = (rule / f"{rule.name}.rego").read_text()
        helps = re.findall(r'help := "([^"]+)"', text)
        assert helps, rule
        assert all(20 < len(said) < 300 for said in helps), rule


@pytest.mark.parametrize("path", sorted(modules()), ids=lambda path: str(path.relative_to(BUNDLE)))
def test_a_module_keeps_to_the_style(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert max(len(line) for line in lines) <= 120
    assert len(lines) < 300
    assert not any(word in path.read_text() for word in ("http.send", "opa.runtime", "print(", "} else", "TODO"))


def test_the_program_table_is_sorted_and_its_tags_are_used() -> None:
    table = json.loads((BUNDLE / "programs" / "data.json").read_text())
    assert list(table["tags"]) == sorted(table["tags"])
    index = (BUNDLE / "index" / "index.rego").read_text()
    rules = "".join(path.read_text() for path in modules())
    for tag in {tag for tags in table["tags"].values() for tag in tags}:
        assert f"tagged.{tag}" in rules, tag
        assert tag in index or f'"{tag}"' in rules, tag


def test_samples_are_ordinary_questions_otherwise() -> None:
    assert all(sample.question["version"] == 1 for sample in SAMPLES)
    assert len(SAMPLES) >= 3 * len(RULES)
