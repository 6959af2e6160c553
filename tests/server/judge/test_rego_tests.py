"""`sandgate policy test`: a test rule passes only where it is true, and none of them is overlooked."""

from pathlib import Path

import pytest

from server.judge.engine import EngineTrouble
from server.judge.rego_tests import names_of_tests, run_tests
from tests.server.judge.judging import copied

RULE = "rules/code/piped/piped_test.rego"


def added(folder: Path, text: str) -> Path:
    path = copied(folder) / RULE
    path.write_text(f"{path.read_text()}\n{text}\n")
    return path.parents[3]


def test_names_are_those_of_rules_at_the_left_margin_under_their_package() -> None:
    text = "package a.b\n\n# test_comment\ntest_one if true\n\n\ttest_inner if true\n\ntest_two := true\n"

    assert list(names_of_tests({"x": text, "y": "test_without_package if true\n"})) == [
        "data.a.b.test_one",
        "data.a.b.test_two",
    ]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("test_added if 1 == 2", "undefined"),
        ("test_added := false", "is False, not true"),
        ("test_added := 1", "is 1, not true"),
        ("test_added := 1 / 0", "divide by zero"),
    ],
)
def test_a_test_that_does_not_hold_fails_with_its_reason(tmp_path: Path, rule: str, said: str) -> None:
    failed = [result for result in run_tests(added(tmp_path, rule)) if not result.passed]

    assert [result.name for result in failed] == ["data.sandgate.rules.code.piped_test.test_added"]
    assert said in failed[0].trouble


def test_a_test_module_that_is_no_rego_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EngineTrouble, match=r"piped_test\.rego:\d+:\d+: "):
        run_tests(added(tmp_path, "test_added if ("))
