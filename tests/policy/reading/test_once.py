"""What mktemp made is known for good where nothing else in the text writes the name, and nowhere else."""

import pytest

from policy.reading.once import names
from tests.policy.reader import argvs, read

MADE = "/tmp/tmp.XXXXXXXXXX"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("d=$(mktemp -d)", {"d"}),
        ('D="$(mktemp)" && cp x "$D"', {"D"}),
        ("tmp=`mktemp -d`; rm -rf /tmp/x ${tmp}", {"tmp"}),
        ("d=$(mktemp -d); d=x", set()),
        ("d=$(mktemp -d); read -r d", set()),
        ("d=$(mktemp -d); : ${d:=x}", set()),
        ("d=x", set()),
    ],
)
def test_a_name_is_kept_that_the_text_mentions_once(text: str, found: set[str]) -> None:
    assert names(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "d=$(mktemp -d); trap 'rm -rf \"$d\"' EXIT; cp -r src $d/",
        'd=$(mktemp -d); trap "make clean" EXIT INT; rm -rf "$d"',
        'd=$(mktemp -d); clean() { rm -rf "$d"; }; trap clean EXIT',
        'clean() { rm -rf "$d"; }; trap clean EXIT; d=$(mktemp -d)',
        'd=$(mktemp -d); log() { echo "$1"; }; log start; rm -rf "$d"',
        'd=$(mktemp -d); . ./env.sh; rm -rf "$d"',
    ],
)
def test_what_mktemp_made_is_known_after_what_is_not_read(text: str) -> None:
    assert ("rm", "-rf", MADE) in argvs(text)


@pytest.mark.parametrize(
    "text",
    [
        'f() { rm -rf "$WORK"; }; f; WORK=$(mktemp -d)',
        'f() { rm -rf "$d"; }; d=$(mktemp -d -p /x); f',
        'mktemp() { echo /x; }; f() { rm -rf "$d"; }; d=$(mktemp -d); f',
        "d=$(mktemp -d); trap 'rm -rf \"$d\"' EXIT; d=/workspace",
        "d=$(mktemp -d); trap 'rm -rf \"$d\"' EXIT; eval 'd''=/workspace'",
        'd=$(mktemp -d); trap \'rm -rf "$d"\' EXIT; declare "$x=/workspace"',
        "d=$(mktemp -d); trap 'rm -rf \"$d\"' EXIT; declare -n r=$x; r=/workspace",
        "d=$(mktemp -d); trap 'rm -rf \"$d\"' EXIT; read $x",
        "d=$(mktemp -d); trap 'rm -rf \"$d\"' EXIT; read -rad",
        "d=$(mktemp -d); trap 'rm -rf \"$d\"' EXIT; printf -v $x /workspace",
        "d=$(mktemp -d); trap 'rm -rf \"$d\"' EXIT; printf -vd /workspace",
        "d=/tmp/x; trap 'd=/workspace' USR1; rm -rf \"$d\"",
    ],
)
def test_where_something_may_write_the_name_or_has_not_yet_it_is_not_known(text: str) -> None:
    assert ("rm", "-rf", None) in argvs(text)


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ('sed -i "s/@V@/$V/" f', True),
        ('sed -n "${a},${b}p" f', True),
        ('sed "$x" f', False),
        ('sed "s/a/b/$x" f; x=e', False),
        ('V=$(cat x); sed "s/@V@/$V/" f', False),
        ('read V; sed "s/@V@/$V/" f', False),
        ('. ./x; sed "s/@V@/$V/" f', False),
        ('read "$n"; sed "s/@V@/$V/" f', False),
        ('sed "s/@V@/$V/e" f', False),
        ('sed "w $V" f', False),
    ],
)
def test_a_variable_that_the_script_never_writes_is_the_operators_and_may_fill_a_sed_script(
    text: str, *, known: bool
) -> None:
    assert (not read(text).script.inline_code) is known
