"""Samples are read whole or not at all: one that is overlooked would prove nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from server.judge.samples import Sample, samples, whole


def written(folder: Path, entries: Any, name: str = "denied.json") -> Path:
    place = folder / "rules" / "code" / "piped"
    place.mkdir(parents=True)
    (place / name).write_text(json.dumps(entries))
    return folder


def test_a_sample_is_an_ordinary_question_but_for_what_it_says(tmp_path: Path) -> None:
    (sample,) = samples(written(tmp_path, [{"title": "sudo", "commands": [{"argv": ["/bin/sudo", None]}]}]))

    assert (sample.rule, sample.denied, sample.effect, sample.settings) == ("code.piped", True, "deny", {})
    assert (sample.question["tool"], sample.question["caller"]["id"]) == ("shell", "local")
    (command,) = sample.question["commands"]
    assert (command["name"], command["dynamic"], command["known"]) == ("sudo", ["", "param"], ["", ""])


def test_the_file_says_what_the_answer_is_and_the_sample_may_say_ask(tmp_path: Path) -> None:
    entries = [{"title": "a"}, {"title": "b", "effect": "ask", "settings": {"profile": "strict"}}]

    found = list(samples(written(tmp_path, entries, "allowed.json")))

    assert [(sample.denied, sample.effect) for sample in found] == [(False, "allow"), (False, "ask")]
    assert found[1].settings == {"profile": "strict"}


@pytest.mark.parametrize("entries", [{}, [], [1], [{}], [{"command": "ls"}], [{"title": "a", "titel": "b"}]], ids=str)
def test_what_is_no_list_of_samples_is_refused_with_the_rules_name(tmp_path: Path, entries: Any) -> None:
    with pytest.raises(ValueError, match=r"code\.piped"):
        list(samples(written(tmp_path, entries)))


def test_a_file_of_another_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"deny\.json is neither"):
        list(samples(written(tmp_path, [{"title": "a"}], "deny.json")))


def test_a_field_that_is_given_stands_and_the_rest_is_as_usual() -> None:
    question = whole({"tool": "exec", "script": {"hosts": ["a.example"]}})

    assert question["tool"] == "exec"
    assert question["script"]["hosts"] == ["a.example"]
    assert question["script"]["parse_error"] is None


def test_two_questions_share_nothing_that_could_be_changed() -> None:
    first = whole({"commands": [{"argv": ["ls"]}]})
    first["commands"][0]["argv"] = ["rm"]

    assert whole({"commands": [{"argv": ["ls"]}]})["commands"][0]["argv"] == ["ls"]
    assert Sample("a.b", "t", denied=True, effect="deny", question={}).settings == {}
