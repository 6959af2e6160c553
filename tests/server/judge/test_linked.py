"""What the embedded engine loads says what the files say; that both decide alike is the differential tests' to show."""

import json
from typing import Any

import pytest

from server.judge.bundle import read_bundle
from server.judge.engine import Engine, EngineTrouble
from server.judge.linked import in_files, linked
from tests.server.judge.judging import BUNDLE

MAIN = "package sandgate\n\n# entrypoint: true\ndecision := data.sandgate.rules.a.found\n"


def heads(modules: dict[str, str]) -> list[list[str]]:
    """Of each module the names of its rules as the engine reads them, in their order."""
    return [[_name(rule) for rule in tree["ast"]["rules"]] for tree in Engine(modules, ()).syntax()]


def _name(rule: Any) -> str:
    refr = rule["Default"]["refr"] if "Default" in rule else next(iter(rule["Spec"]["head"].values()))["refr"]
    while "Var" not in refr:
        refr = next(iter(refr.values()))["refr"]
    return str(refr["Var"]["value"])


@pytest.mark.promise("policy.error_is_deny")
def test_every_rule_is_carried_over_under_a_name_that_no_other_package_has() -> None:
    modules = dict(read_bundle(BUNDLE, {}).modules)
    packages = [text.partition("\npackage ")[2].partition("\n")[0] for text in modules.values()]
    named = [
        (package, name, "__".join([*package.split(".")[1:], name]))
        for package, names in zip(packages, heads(modules), strict=True)
        for name in names
    ]
    one, egress = heads(linked(modules))

    assert one == [new for package, _, new in named if package != "sandgate.egress"]
    assert egress == [name for package, name, _ in named if package == "sandgate.egress"]
    assert len({new for *_, new in named}) == len({(package, name) for package, name, _ in named}) > 300


@pytest.mark.promise("policy.error_is_deny")
def test_nothing_is_left_that_names_a_package_which_is_no_more() -> None:
    texts = linked(read_bundle(BUNDLE, {}).modules).values()
    left = {line.strip() for text in texts for line in text.splitlines() if "data.sandgate.rules" in line}

    assert [line for line in left if not line.startswith("#")] == []


def test_texts_comments_and_fields_keep_their_words() -> None:
    rule = (
        'package sandgate.rules.a\n\n# found is here\nfound := [_own, "found _own", `found`, input.found, {"found": 1}.found]'
        "\n\n_own := 7\n"
    )
    modules = {"main.rego": MAIN, "a.rego": rule}

    plain, fast = Engine(modules, ()), Engine(linked(modules), ())

    for question in ({"found": 3}, {"found": "x"}):
        asked = json.dumps(question)
        expected = [7, "found _own", "found", question["found"], 1]
        assert plain.evaluate(asked, "data.sandgate.decision") == expected
        assert fast.evaluate(asked, "data.sandgate.decision") == expected


def test_a_local_name_goes_on_hiding_the_rule_of_that_name() -> None:
    rule = "package sandgate.rules.a\n\nfound := [_same(1), _own]\n\n_same(_own) := _own\n\n_own := 7\n"
    modules = {"main.rego": MAIN, "a.rego": rule}

    assert Engine(linked(modules), ()).evaluate("{}", "data.sandgate.decision") == [1, 7]


def test_what_is_imported_and_what_is_asked_for_by_name_is_found() -> None:
    modules = {
        "main.rego": "package sandgate\n\nimport data.sandgate.words\n\ndecision := words.twice(data.sandgate.words.word)\n",
        "words.rego": 'package sandgate.words\n\ntwice(word) := [word, word]\n\nword := "a"\n',
        "apart.rego": "package sandgate.apart\n\n# entrypoint: true\nlist := data.sandgate.words.twice(word)\n\nword := 1\n",
    }
    engine = Engine(linked(modules), ())

    assert engine.evaluate("{}", "data.sandgate.decision") == ["a", "a"]
    assert engine.evaluate("{}", "data.sandgate.apart.list") == [1, 1]


@pytest.mark.promise("policy.error_is_deny")
@pytest.mark.parametrize(
    "body",
    [
        "decision := data.sandgate.rules.a.fund",
        "decision := data.sandgate.rules",
        "decision := data",
        "decision := data[input.x]",
        "import data.sandgate.rules.a\n\ndecision := a.fund",
        "import data.sandgate.rules.a\n\ndecision := a",
        "import data.sandgate.rules.a as b\n\ndecision := b.found",
    ],
)
def test_what_might_have_named_a_rule_and_does_not_is_refused(body: str) -> None:
    """Left as it is, it would be undefined, and what it was to forbid would pass."""
    rule = "package sandgate.rules.a\n\nfound := 1\n"

    with pytest.raises(ValueError, match=r"^main\.rego: "):
        linked({"main.rego": f"package sandgate\n\n{body}\n", "a.rego": rule})


def test_an_error_names_the_file_and_the_line_that_were_meant() -> None:
    rule = 'package sandgate.rules.a\n\nimport data.sandgate.other\n\nfound := substring(1, "a", 2)\n'
    loaded = linked({"main.rego": MAIN, "a.rego": rule, "other.rego": "package sandgate.other\n\nx := 1\n"})

    with pytest.raises(EngineTrouble) as trouble:
        Engine(loaded, ()).evaluate("{}", "data.sandgate.decision")

    assert in_files(str(trouble.value), loaded).startswith("a.rego:5:")


def test_what_an_operator_s_rules_are_in_trouble_with_is_left_as_it_is() -> None:
    assert in_files("house.rego:3:1: no", {"house.rego": "package sandgate_custom.house\n"}) == "house.rego:3:1: no"
