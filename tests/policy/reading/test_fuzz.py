"""Whatever an agent sends, a reading comes out: no exception, within bounds, and the same each time."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings

from policy.command import Reading
from policy.path import uses
from policy.reading import bounds
from policy.reading.budget import UNITS
from policy.reading.knowledge import Knowledge
from policy.reading.script import read_script
from policy.reading.tree import Tree, Unparsable
from tests.policy.reader import CWD, HOME, WORKSPACES, parse, read, read_words
from tests.policy.reading.mutations import mutations

type Parser = Callable[[str], Tree | Unparsable]
SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)


def counted(text: str, parser: Parser = parse) -> tuple[Reading, int]:
    """The reading, and how many texts it had parsed."""
    reader, asked = read_script(text, CWD, HOME, WORKSPACES), 0
    try:
        wanted = next(reader)
        while True:
            asked += 1
            wanted = reader.send(parser(wanted))
    except StopIteration as end:
        reading: Reading = end.value
        return reading, asked


@settings(max_examples=300, suppress_health_check=SLOW)
@given(mutations())
def test_a_broken_command_is_read_within_bounds(text: str) -> None:
    reading, asked = counted(text)

    assert asked <= (bounds.NESTED_TEXTS + 2) * bounds.REPAIRS
    assert len(reading.commands) <= bounds.COMMANDS
    assert reading == counted(text)[0]
    for command in reading.commands:
        assert len(command.argv) == len(command.dynamic) == len(command.known)


@settings(max_examples=100, suppress_health_check=SLOW)
@given(mutations())
def test_a_parser_that_fails_midway_leaves_an_error(text: str) -> None:
    asked: list[str] = []

    def stopped(wanted: str) -> Tree | Unparsable:
        asked.append(wanted)
        return parse(wanted) if len(asked) == 1 else Unparsable("it was stopped")

    assert isinstance(counted(text, stopped)[0], Reading)


BOMBS = {
    "values that double": "X=ab;" + "X=$X$X;" * 3_000 + "say $X",
    "arrays that double": "A=(a b);" + 'A=("${A[@]}" "${A[@]}");' * 1_000 + 'say "${A[@]}"',
    "arguments that double": "set -- a b;" + 'set -- "$@" "$@";' * 1_500 + 'say "$@"',
    "a long value, often": "X='" + "a " * 2_000 + "'; say " + "$X " * 8_000,
    "long braces": "say " + "{1..500} " * 3_500,
    "loops read for each item": "for a in 1 2 3 4 5 6 7 8; do for b in 1 2 3 4 5 6 7 8; do "
    + "x;" * 8_000
    + "done; done",
    "long loops": "for a in 1 2 3 4 5 6 7 8; do for b in 1 2 3 4 5 6 7 8; do say " + "$a " * 8_000 + "; done; done",
    "loops in loops": "".join(f"while t; do a{i}=$a{i + 1}; " for i in range(35)) + "done;" * 35,
    "names handed on": "while t; do " + "".join(f"a{i + 1}=$a{i};" for i in reversed(range(1_500))) + " done",
    "many patterns": "for a in 1 2 3 4 5 6 7 8; do case $a in " + "|".join("a" * 12_000) + ") x;; esac; done",
    "functions": "".join(f"f{i}() {{ X=$X$X; f{i + 1}; }};" for i in range(900)) + "f0",
    "substitutions": ("x=$(say " * 38 + "a" + ")" * 38 + ";") * 70,
    "texts that double": "X='x;';" + "eval $X$X;" * 2_000,
    "comments": "a #b\\\n" * 4_000,
    "aliases": "".join(f"alias a{i}=b;" for i in range(2_000)),
    "here-documents": "a " + "<<E " * 3_000 + "\n" + "E\n" * 3_000,
    "runners that run each other": "npx " * 4_000 + "say",
    "a text of paths": "say --run='" + "=/a" * 9_000 + "'",
    "names of hooks": "say " + ".git/modules/" * 2_400,
    "names in an archive": "tar xf a --transform=s,a," + "a/" * 15_000,
    "one megabyte": "say " + "a" * 1_000_000,
    "a megabyte of lines": "\n" * 1_000_000,
    "a megabyte of brackets": "(" * 1_000_000,
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS.keys())
def test_a_small_text_cannot_cost_much(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Knowledge] = []

    def remembered() -> Knowledge:
        made.append(Knowledge())
        return made[-1]

    monkeypatch.setattr("policy.reading.script.Knowledge", remembered)

    reading = read(text)

    assert len(reading.commands) <= bounds.COMMANDS
    assert sum(len(command.argv) for command in reading.commands) < UNITS
    assert len(uses(reading, "/home/dev", ("/workspace",))) < UNITS
    assert sum(len(word or "") for command in reading.commands for word in command.argv) < 1_000_000
    assert all(knowledge.budget.left > -UNITS for knowledge in made)


def test_a_script_of_ordinary_length_is_read() -> None:
    lines = "\n".join(f'mkdir -p "build/{i}" && cp -r src/{i} "build/{i}" || echo "no {i}" >&2' for i in range(400))

    assert read(f"set -eu\nfor d in a b c; do\n{lines}\ndone").script.parse_error is None


def test_an_argv_of_a_megabyte_is_not_read() -> None:
    assert read_words("say", "a" * 1_000_000).script.parse_error
    assert read_words(*["a"] * 500_000).script.parse_error
