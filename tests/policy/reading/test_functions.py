"""Functions that run what they are handed are read for each call; where a call is not known they stay unknown."""

import pytest

from tests.policy.reader import argvs, read

RUN = 'run() { echo "+ $*"; "$@"; }; '
RETRY = 'retry() { local n=$1; shift; until "$@"; do sleep 1; done; }; '


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        (RUN + "run make test", ("make", "test")),
        (RUN + "run make; run rm -rf x", ("rm", "-rf", "x")),
        (RUN + "command run ls", ("ls",)),
        (RUN + 'both() { run "$@"; }; both ls -l', ("ls", "-l")),
        ('both() { run "$@"; }; ' + RUN + "both ls -l", ("ls", "-l")),
        (RUN + "export -f run; bash -c 'run ls'", ("ls",)),
        (RUN + "run eval 'rm -rf x'", ("rm", "-rf", "x")),
        ('f() { $1 -rf "$2"; }; f rm x', ("rm", "-rf", "x")),
        ('f() { shift; "$@"; }; f a rm x', ("rm", "x")),
        ('f() { local c="$*"; $c; }; f rm x', ("rm", "x")),
        ("f() { eval \"$1\"; }; f 'rm x'", ("rm", "x")),
        ("f() { bash -c \"$1\"; }; f 'rm x'", ("rm", "x")),
        ('f() { cd sub; "$@"; }; f rm x', ("rm", "x")),
        ('f() { cp a "$1/config"; }; f .git', ("cp", "a", ".git/config")),
        ("f() { cat $1$2; }; f .e nv", ("cat", ".env")),
    ],
)
def test_a_function_is_read_with_the_words_of_its_call(text: str, inner: tuple[str, ...]) -> None:
    assert inner in argvs(text)


def test_a_function_whose_calls_are_all_known_leaves_nothing_unknown() -> None:
    reading = read(RUN + "run make test; run ls")

    assert all(command.name is not None for command in reading.commands)


@pytest.mark.parametrize(
    "text",
    [
        RUN,
        RUN + 'run "$x"',
        RUN + "run $x",
        RUN + "xargs -I{} bash -c 'run {}' < list",
        RUN + "run run ls",
        RUN + "trap 'run ls' EXIT",
        RUN + 'run ls; run() { "$@" -x; }; run ls',
        RUN + "run source x; c=rm; $c y",
        RETRY + "retry 3 rm x; IFS=/",
        'command_not_found_handle() { "$@"; }; xyz',
    ],
)
def test_a_call_that_is_not_known_could_name_any_command(text: str) -> None:
    reading = read(text)

    unknown = [command for command in reading.commands if command.name is None]
    assert unknown or any(code.code is None for code in reading.script.inline_code)
