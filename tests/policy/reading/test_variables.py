"""What variables hold: exact where only the text decides it, unknown everywhere else. test_bash.py asks bash itself."""

from functools import reduce

import pytest

from policy.reading.variables import LOST, NOTHING, UNSET, OneOf, Variables
from tests.policy.reader import argvs, commands, named, read


def last(text: str) -> tuple[str | None, ...]:
    return commands(text)[-1].argv


@pytest.mark.parametrize(
    ("text", "argv"),
    [
        ("X=shred; $X -u k", ("shred", "-u", "k")),
        ('D=.env; cat "$D"', ("cat", ".env")),
        ('D=.env && cat "${D}"', ("cat", ".env")),
        ("D=/a; F=$D/b; cat $F", ("cat", "/a/b")),
        ("D=a; D+=b; cat $D", ("cat", "ab")),
        ("X='shred -u k'; $X", ("shred", "-u", "k")),
        ("X='a  b'; cat \"$X\"", ("cat", "a  b")),
        ("X=; cat $X f", ("cat", "f")),
        ('X=; cat "$X" f', ("cat", "", "f")),
        ("export X=a; cat $X", ("cat", "a")),
        ("readonly X=a; cat $X", ("cat", "a")),
        ("A=(shred -u 'k l'); \"${A[@]}\"", ("shred", "-u", "k l")),
        ("A=(shred -u 'k l'); ${A[@]}", ("shred", "-u", "k", "l")),
        ('A=(a b); A+=(c); cat "${A[*]}" ${A[1]} ${#A[@]}', ("cat", "a b c", "b", "3")),
        ('set -- shred -u k; "$@"', ("shred", "-u", "k")),
        ("set -- a b; shift; cat $1 $#", ("cat", "b", "1")),
        ("sh -c '$0 \"$@\"' shred -u 'k l'", ("shred", "-u", "k l")),
        ("unset X; cat ${X:-f} ${X-g}", ("cat", "f", "g")),
        ("X=a; cat ${X:-f} ${X:+h}", ("cat", "a", "h")),
        ("X=; cat ${X:-f} ${X-g} ${X:+h}", ("cat", "f")),
        ("$(echo shred) k", ("shred", "k")),
        ("`printf %s shred` k", ("shred", "k")),
        ('cat "$(pwd)/f"', ("cat", "/workspace/f")),
        ("X=$(echo a b); cat $X", ("cat", "a", "b")),
        ("$(which shred) -u k", ("shred", "-u", "k")),
        ("S=$(command -v shred); $S -u k", ("shred", "-u", "k")),
        ("if X=a; then cat $X; fi", ("cat", "a")),
        ("if t; then X=a; else X=a; fi; cat $X", ("cat", "a")),
        ("X=a; for i in $y; do n=1; done; cat $X", ("cat", "a")),
        ("X=a; (X=b); cat $X", ("cat", "a")),
        ("X=a; { X=b; } | t; cat $X", ("cat", "a")),
        ("X=a; eval 'X=b'; cat $X", ("cat", "b")),
        ("for x in a; do :; done; cat $x", ("cat", "a")),
        ("X=shred; bash <<E\n$X k\nE", ("shred", "k")),
        ("cat {a,b}{1,2}", ("cat", "a1", "a2", "b1", "b2")),
    ],
)
def test_what_a_variable_certainly_holds_is_read(text: str, argv: tuple[str, ...]) -> None:
    assert last(text) == argv


@pytest.mark.parametrize(
    "text",
    [
        "t && X=a; cat $X",
        "if t; then X=a; fi; cat $X",
        "case y in y) X=a;; esac; cat $X",
        "while t; do X=a; done; cat $X",
        "X=a; while t; do cat $X; X=b; done",
        "X=a; for i in $y; do cat $X; X=$i; done",
        "for i in 1 2; do X=a; continue; X=b; done; cat $X",
        "for x in 1 2 3 4 5 6 7 8 9; do cat $x; done",
        "for x in *; do cat $x; done",
        "f() { X=b; }; X=a; f; cat $X",
        "X=a; f() { cat $X; }; f",
        "local X=a; cat $X",
        "X=a; read X; cat $X",
        "X=a; read $n; cat $X",
        "X=a; mapfile X; cat $X",
        "X=a; printf -v X b; cat $X",
        "X=a; (( X = 1 )); cat $X",
        "X=a; : $((X++)); cat $X",
        "X=a; let X=2; cat $X",
        "X=a; : ${X:=b}; cat $X",
        "X=a; getopts ab X; cat $X",
        "X=a; source f; cat $X",
        "X=a; . f; X=b; cat $X",
        'X=a; eval "$y"; cat $X',
        "X=a; $y; cat $X",
        "trap 'X=b' DEBUG; X=a; cat $X",
        "declare -n R=X; X=a; R=b; cat $X",
        "declare -i X; X=1+1; cat $X",
        "declare -u X; X=a; cat $X",
        "readonly X=a; X=b; cat $X",
        "declare -A X; X=(a b); cat ${X[0]}",
        "X[1]=a; cat $X",
        "X=a; X[0]=b; cat $X",
        "IFS=,; X=a,b; cat $X",
        "X='*'; cat $X",
        "X='a\\b'; cat $X",
        "X=a; exec {X}>f; cat $X",
        "X=a; coproc X { t; }; cat $X",
        "X=b cat $X",
        "X=b sh -c 'cat $X'",
        "X=a; sh -c 'cat $X'",
        "zsh -c 'X=\"a b\"; cat $X'",
        "ssh host.example 'X=a; cat $X'",
        "X=a,b; IFS=, eval 'cat $X'",
        "A=(0 1 2 3 4 5 6 7 8 9); cat ${A[010]}",
        "X=a Y=b t; cat $X",
        "RANDOM=4; cat $RANDOM",
        "cat ${X:-f}",
        "X=a; cat ${X%a}",
        "Y=X; X=a; cat ${!Y}",
        "echo() { t; }; cat $(echo a)",
        "cat $(echo -n a)",
        "cat $(which shred)",
        "cat $1",
        "set -- $y; cat $1",
        "compgen -F f; X=a; source g; cat $X",
    ],
)
def test_what_a_variable_may_no_longer_hold_is_unknown(text: str) -> None:
    assert None in next(argv for argv in argvs(text) if argv[0] == "cat")


def test_a_loop_over_few_words_is_read_once_for_each() -> None:
    assert argvs("for x in a 'b c'; do cat \"$x.txt\"; done") == [("cat", "a.txt"), ("cat", "b c.txt")]


def test_a_command_that_is_the_same_in_each_round_is_shown_once() -> None:
    assert argvs("for x in a b; do probe; done") == [("probe",)]


def test_loops_in_loops_are_read_within_bounds() -> None:
    loop = "cat $i"
    for name in "abcdefi":
        loop = f"for {name} in 1 2 3 4 5 6 7 8; do {loop}; done"

    assert len(commands(loop)) < 200


def test_a_program_that_is_not_there_leaves_its_arguments_to_run() -> None:
    assert ("wipe", "k") in argvs("$(which shred) wipe k")


def test_a_home_that_was_changed_is_not_ours() -> None:
    assert named("printf -v H''OME /etc; cat ~/shadow", "cat").argv == ("cat", None)


@pytest.mark.parametrize(
    "text",
    [
        "shopt -s expand_aliases\nalias k='shred -u'\nk x",
        "alias 'if=shred'",
        "BASH_ALIASES[k]=shred",
        "alias $x",
        "set -o history -H\nshred k\n!!",
        "set -k\nshred a=1 k",
        "set +B\nshred {a,b}",
        "shopt -so keyword\nshred a=1 k",
        "x=$(t <<E\nE\none; two)",
    ],
)
def test_what_changes_how_bash_reads_what_follows_is_an_error(text: str) -> None:
    assert read(text).script.parse_error


def test_a_shell_that_starts_with_such_an_option_runs_code_that_is_not_known() -> None:
    for text in ("bash -k -c 'shred a=1'", "bash +B -c 'shred {a,b}'", "bash --rcfile f -O cdable_vars -c 'cd x'"):
        assert [code.code for code in read(text).script.inline_code] == [None]
    assert read("bash -eo pipefail -c 'ls'; set -- -k a=1; set -euo pipefail").script.parse_error is None


def test_a_directory_named_by_a_variable_is_not_known() -> None:
    assert named("shopt -s cdable_vars; D=/etc; cd D && probe", "probe").cwd is None


def test_knowledge_only_shrinks_where_two_ways_meet() -> None:
    one, other = NOTHING.set("a", "1").set("b", "2"), NOTHING.set("a", "1").set("b", "3").fix("c")

    assert one.meet(other) == Variables({"a": "1", "b": OneOf(("2", "3"))}, frozenset("c"))
    assert one.meet(LOST).get("a") is None
    assert LOST.set("a", "1").get("a") is None
    assert NOTHING.set("a", UNSET).get("a") is UNSET
    assert one.differing(other) == {"b"}


def test_a_variable_is_followed_only_so_many_ways() -> None:
    ways = [NOTHING.set("a", str(number)) for number in range(5)]

    assert reduce(Variables.meet, ways[:4]).get("a") == OneOf(("0", "1", "2", "3"))
    assert reduce(Variables.meet, ways).get("a") is None


def test_a_name_is_as_the_environment_has_it_until_something_may_write_it() -> None:
    fresh = Variables(written=frozenset())

    assert fresh.untouched("a")
    assert not NOTHING.untouched("a")
    assert not fresh.set("a", "1").untouched("a")
    assert not fresh.set("a", None).untouched("a")
    assert not fresh.blank().untouched("a")
    assert not fresh.gone().untouched("a")
    assert not fresh.set("a", "1").meet(fresh).untouched("a")
    assert fresh.set("a", None).meet(fresh.set("b", None)).untouched("c")


def test_what_bash_computes_itself_is_never_known() -> None:
    assert NOTHING.set("SECONDS", "1").get("SECONDS") is None
    assert NOTHING.set("BASH_ALIASES", "1").lost
    assert not NOTHING.set("IFS", ",").splits
