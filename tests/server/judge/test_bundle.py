"""A bundle is whole or refused, in one sentence that names the file."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from server.judge.bundle import BundleError, read_bundle
from server.judge.rego import RegoJudge
from tests.server.judge.judging import BUNDLE, copied, custom_rule


@pytest.mark.promise("policy.error_is_deny")
@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("main.rego", lambda text: text + "\nx := (\n", r"main\.rego:\d+:\d+: "),
        (".manifest", lambda text: text.replace("sandgate", "other"), r"roots must be sandgate"),
        (".manifest", lambda _: "{", r"Expecting"),
        ("programs/data.json", lambda _: "{}", r"the sample|cannot be evaluated"),
        ("rules/code/piped/denied.json", lambda _: "[]", r"denied\.json of code\.piped is not a list"),
        ("rules/code/piped/piped.rego", lambda text: text.replace('"deny"', '"ask"'), r"the sample .* of code\.piped"),
        (
            "index/index.rego",
            lambda text: text.replace("code.piped.findings", "code.arithmetic.findings"),
            r"not named in",
        ),
        (
            "rules/code/piped/piped.rego",
            lambda text: text.replace("some shell", "1 / 0 == 1\n\tsome shell"),
            r"divide by zero",
        ),
    ],
)
def test_a_broken_bundle_is_refused_in_one_sentence(
    tmp_path: Path, file: str, change: Callable[[str], str], said: str
) -> None:
    folder = copied(tmp_path)
    (folder / file).write_text(change((folder / file).read_text()))
    with pytest.raises(BundleError, match=said) as refused:
        RegoJudge.load(folder, {})
    assert "\n" not in str(refused.value)


def test_a_rule_without_tests_or_samples_is_refused(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    (folder / "rules/code/piped/piped_test.rego").unlink()
    with pytest.raises(BundleError, match=r"piped: the rule lacks its piped_test\.rego"):
        read_bundle(folder, {})


def test_a_bundle_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="manifest"):
        RegoJudge.load(tmp_path, {})


def test_the_revision_is_that_of_the_rules_and_the_settings(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    first = read_bundle(folder, {}).revision
    assert first == read_bundle(BUNDLE, {}).revision
    assert first != read_bundle(folder, {"profile": "strict"}).revision
    main = folder / "main.rego"
    main.write_text(main.read_text() + "\n# changed\n")
    assert first != read_bundle(folder, {}).revision
    rule = custom_rule(tmp_path, "findings contains 1 if input.x == 1")
    assert read_bundle(folder, {}).revision != read_bundle(folder, {}, [rule]).revision


def test_tests_are_kept_apart_from_what_judges() -> None:
    bundle = read_bundle(BUNDLE, {})

    assert bundle.tests
    assert all(name.endswith("_test.rego") for name in bundle.tests)
    assert not any(name.endswith("_test.rego") for name in bundle.modules)
    assert not bundle.custom


def test_a_table_lies_in_the_data_where_its_folder_lies_in_the_bundle() -> None:
    (document,) = read_bundle(BUNDLE, {}).documents

    assert document["sandgate"]["programs"]["tags"]["sudo"]


def test_an_operators_folder_gives_its_rules_and_leaves_its_tests(tmp_path: Path) -> None:
    rule = custom_rule(tmp_path, "findings contains 1 if input.x")
    shutil.copy(rule, tmp_path / "house_test.rego")

    assert list(read_bundle(BUNDLE, {}, [tmp_path]).custom) == [str(rule)]


@pytest.mark.promise("policy.error_is_deny")
def test_an_operators_folder_without_rules_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="there are no rules in it"):
        read_bundle(BUNDLE, {}, [tmp_path])


@pytest.mark.promise("policy.error_is_deny")
def test_an_operators_rule_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"gone\.rego"):
        read_bundle(BUNDLE, {}, [tmp_path / "gone.rego"])


def test_our_own_modules_are_linted_where_it_is_asked_for(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    main = folder / "main.rego"
    main.write_text(main.read_text() + "\n_now := time.now_ns()\n")

    read_bundle(folder, {})
    with pytest.raises(BundleError, match=r"time\.now_ns is not a function"):
        read_bundle(folder, {}, thorough=True)
