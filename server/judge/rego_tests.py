"""`sandgate policy test`: every test_ rule of a bundle, through the embedded engine."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from server.judge.bundle import read_bundle
from server.judge.engine import Engine, EngineTrouble

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


def _run(engine: Engine, name: str) -> TestResult:
    try:
        holds = engine.evaluate("{}", name)
    except EngineTrouble as trouble:
        return TestResult(name, str(trouble))
    return TestResult(name, "" if holds is True else f"{name} is {holds!r}, not true")
