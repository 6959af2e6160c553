"""`sandgate policy test`: every test_ rule of a bundle, through the embedded engine, and which lines they reach."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from server.judge.bundle import read_bundle
from server.judge.decision import DECISION
from server.judge.engine import Engine, EngineTrouble
from server.judge.samples import Sample

_PACKAGE = re.compile(r"^package ([\w.]+)$", re.MULTILINE)
_TEST = re.compile(r"^(test_\w+)\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class TestResult:
    """One test rule; `trouble` is "" where it holds."""

    __test__ = False  # pytest takes every class named Test... for one of its own
    name: str
    trouble: str

    @property
    def passed(self) -> bool:
        return not self.trouble


def names_of_tests(tests: dict[str, str]) -> Iterator[str]:
    """The rules that test modules define, in full."""
    for text in tests.values():
        package = _PACKAGE.search(text)
        for name in _TEST.findall(text) if package else ():
            yield f"data.{package[1]}.{name}" if package else name


def run_tests(bundle_dir: Path) -> list[TestResult]:
    """Run all tests with the standard profile and no settings; a test may bring its own. Raises BundleError."""
    bundle = read_bundle(bundle_dir, {}, thorough=True)
    engine = Engine({**bundle.modules, **bundle.tests}, bundle.configured({}))
    return [_run(engine, name) for name in sorted(names_of_tests(dict(bundle.tests)))]


@dataclass(frozen=True, slots=True)
class Reached:
    """Of one module: how many lines were evaluated, and which that could be were not."""

    covered: int
    missed: tuple[int, ...]


def coverage(bundle_dir: Path) -> dict[str, Reached]:
    """What the tests and all samples together reach of our rules, by module. Raises BundleError."""
    bundle = read_bundle(bundle_dir, {})
    covered: dict[str, set[int]] = {}
    missed: dict[str, set[int]] = {}
    asked: dict[str, list[Sample]] = {}
    for sample in bundle.samples:
        asked.setdefault(json.dumps(sample.settings, sort_keys=True), []).append(sample)
    tests = Engine({**bundle.modules, **bundle.tests}, bundle.configured({}), covering=True)
    for name in names_of_tests(dict(bundle.tests)):
        _run(tests, name)
    _add_reached(tests, covered, missed)
    for key, group in asked.items():
        engine = Engine(bundle.modules, bundle.configured(json.loads(key)), covering=True)
        for sample in group:
            engine.evaluate(json.dumps(sample.question), DECISION)
        _add_reached(engine, covered, missed)
    return {
        str(Path(name).relative_to(bundle_dir)): Reached(len(lines), tuple(sorted(missed.get(name, set()) - lines)))
        for name, lines in sorted(covered.items())
        if name in bundle.modules
    }


def _add_reached(engine: Engine, covered: dict[str, set[int]], missed: dict[str, set[int]]) -> None:
    for name, reached, not_reached in engine.reached():
        covered.setdefault(name, set()).update(reached)
        missed.setdefault(name, set()).update(not_reached)


def _run(engine: Engine, name: str) -> TestResult:
    try:
        holds = engine.evaluate("{}", name)
    except EngineTrouble as trouble:
        return TestResult(name, str(trouble))
    return TestResult(name, "" if holds is True else f"{name} is {holds!r}, not true")
