"""`eval set --` with what getopt prints is read as the `set` that it is; whatever else eval is given is code."""

import pytest

from tests.policy.reader import argvs, commands, read


@pytest.mark.parametrize(
    "text",
    [
        'eval set -- "$(getopt -o ab: --long alpha -n "$0" -- "$@")"',
        'O=$(getopt -o hv --name "$(basename "$0")" -- "$@") || exit 1; eval set -- "$O"',
        'parsed=`getopt --options=a -- "$@" 2>/dev/null`; eval set -- "$parsed"',
    ],
)
def test_the_options_that_getopt_has_sorted_become_the_arguments(text: str) -> None:
    assert ("set", "--", None) in argvs(text)
    assert read(text).script.inline_code == ()


def test_what_the_arguments_are_is_not_known_after_it() -> None:
    assert commands('set -- tool; eval set -- "$(getopt -o a -- x)"; "$1"')[-1].name is None


@pytest.mark.parametrize(
    "text",
    [
        'eval set -- "$(getopt -u -o a -- "$@")"',
        'eval set -- "$(getopt a "$@")"',
        'eval set -- "$(getopt -o a $x -- "$@")"',
        'eval set -- "$(getopt -o a -- "$@"; tool)"',
        'getopt() { tool; }; eval set -- "$(getopt -o a -- "$@")"',
        'O=$(getopt -o a -- "$@"); O=$(tool); eval set -- "$O"',
        'O=$(getopt -o a -- "$@"); eval "$O"',
    ],
)
def test_any_other_text_for_eval_is_not_known(text: str) -> None:
    assert any(code.code is None for code in read(text).script.inline_code)
