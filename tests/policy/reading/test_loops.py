"""Loops: what a glob finds is known by its pattern, wherever the loop uses it."""

import pytest

from tests.policy.reader import commands, named


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('for t in build/test_*; do "$t" -v; done', "test_*"),
        ("for t in build/test_*; do $t -v; done", "test_*"),
        ('for t in test_*; do "./$t" -v; done', "test_*"),
        ("for t in test_*; do ./$t -v; done", "test_*"),
        ('for t in a x/*/run; do timeout 5 "$t" -v; done', "run"),
    ],
)
def test_a_program_that_a_glob_finds_in_a_folder_of_the_workspace_is_one_of_its_own(text: str, name: str) -> None:
    found = [command for command in commands(text) if command.name == name]

    assert [(command.path_kind, command.argv[1:]) for command in found] == [("workspace", ("-v",))]


@pytest.mark.parametrize(
    "text",
    [
        'for t in *; do "$t" -v; done',
        'for t in /bin/r*; do "$t" -v; done',
        'for t in a/../../bin/r*; do "$t" -v; done',
        'cd /bin && for t in ./r*; do "$t" -v; done',
        'cd "$x"; for t in ./r*; do "$t" -v; done',
        'for t in a/*; do t=$(x); "$t" -v; done',
        'for t in a/*; do read t; "$t" -v; done',
    ],
)
def test_a_program_that_may_lie_anywhere_has_no_name(text: str) -> None:
    assert commands(text)[-1].name is None


def test_a_path_that_a_glob_finds_is_a_pattern_with_what_stands_around_it() -> None:
    command = named('for d in packages/*; do rm -rf "$d/dist"; done', "rm")

    assert (command.argv[2], command.dynamic[2], command.known[2]) == (None, "glob", "packages/*/dist")


def test_a_path_that_is_split_is_no_pattern() -> None:
    assert named("for d in packages/*; do rm -rf $d; done", "rm").dynamic[2] == "param"
