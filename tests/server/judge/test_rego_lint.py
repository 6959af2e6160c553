"""What the engine would find too late, or never, is found before a module is used."""

from pathlib import Path
from typing import Any

import pytest

from server.judge.bundle import BundleError
from server.judge.engine import Engine
from server.judge.rego import RegoJudge
from server.judge.rego_lint import faults
from tests.server.judge.judging import BUNDLE, custom_rule

TITLE = "# METADATA\n# title: One of ours\n"


def found(text: str, *place: str, ours: bool = True) -> list[str]:
    tree: Any = Engine({"m.rego": text}, ()).syntax()[0]["ast"]
    return list(faults("m.rego", text, tree, place if ours else None))


@pytest.mark.promise("policy.strictest_wins")
@pytest.mark.parametrize(
    "package",
    ["sandgate", "sandgate.rules.privilege.tools", "sandgate_config", "sandgate_custom", "sandgate_custom.a.b", "x"],
)
def test_an_operators_package_cannot_take_the_place_of_ours(tmp_path: Path, package: str) -> None:
    rule = custom_rule(tmp_path, "findings contains 1 if input.x", package)
    with pytest.raises(BundleError, match=rf"house.rego:1: package {package} is not sandgate_custom"):
        RegoJudge.load(BUNDLE, {}, [rule])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("findings contains {", r"house\.rego:\d+:\d+: "),
        ("other := 1", r"there is no `findings contains"),
        ('findings contains 1 if http.send({"url": "x"})', r"house\.rego:3: http\.send is not a function"),
        ("findings contains 1 if nosuch.builtin(1)", r"nosuch\.builtin is not a function"),
        ("findings contains 1 if opa.runtime()", r"opa\.runtime is not a function"),
    ],
)
def test_operators_rules_that_cannot_hold_are_refused_in_one_sentence(tmp_path: Path, body: str, said: str) -> None:
    with pytest.raises(BundleError, match=said) as refused:
        RegoJudge.load(BUNDLE, {}, [custom_rule(tmp_path, body)])
    assert "\n" not in str(refused.value)
    assert "backtrac" not in str(refused.value)


def test_a_module_of_ours_bears_a_title_and_the_name_of_its_folder() -> None:
    assert found(f"{TITLE}package sandgate.paths\n", "paths") == []
    assert found("package sandgate.paths\n", "paths") == ["m.rego:1: the package has no METADATA with a title"]
    assert found(f"{TITLE}package sandgate.path\n", "paths") == [
        "m.rego:1: package sandgate.path does not match its folder"
    ]


def test_functions_of_its_own_and_of_what_it_imports_may_be_called() -> None:
    text = f"{TITLE}package sandgate\n\nimport data.sandgate.facts\n\nf(x) := x\n\n"

    assert found(f"{text}a := f(1)\n\nb := facts.g(1)\n\nc := data.sandgate.facts.h(1)\n") == []
    assert found(f"{text}a := g(1)\n") == ["m.rego:9: g is not a function that policies may call"]


@pytest.mark.parametrize("call", ["time.now_ns()", 'http.send({"url": "x"})', "opa.runtime()", 'rand.intn("a", 9)'])
def test_nothing_may_reach_the_clock_the_network_or_chance_however_deep_it_is_called(call: str) -> None:
    text = f"{TITLE}package sandgate\n\na if {{\n\tevery x in [y | some y in [{{{call}}}]] {{\n\t\tx\n\t}}\n}}\n"

    assert found(text) == [f"m.rego:6: {call.partition('(')[0]} is not a function that policies may call"]


def test_an_operators_module_needs_no_title() -> None:
    assert found("package sandgate_custom.house\n\nfindings contains 1 if input.x\n", ours=False) == []
