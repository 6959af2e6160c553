"""What mktemp and the programs that set up a shell print, as far as it decides anything."""

import pytest

from policy.reading.printed import counts, few_numbers, formatted, made, sets_up
from tests.policy.reader import argvs, read


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ("", "/tmp/tmp.XXXXXXXXXX"),
        ("-d", "/tmp/tmp.XXXXXXXXXX"),
        ("-dq", "/tmp/tmp.XXXXXXXXXX"),
        ("-d /tmp/build.XXXX", "/tmp/build.XXXX"),
        ("-t build.XXXX", "/tmp/build.XXXX"),
        ("-p /tmp build.XXXX", "/tmp/build.XXXX"),
        ("--tmpdir build.XXXX", "/tmp/build.XXXX"),
        ("--suffix=.json", "/tmp/tmp.XXXXXXXXXX.json"),
        ("-d build.XXXX", None),
        ("-d /tmp/build", None),
        ("-d /tmp/a/b.XXXX", None),
        ("-d /tmp/../x.XXXX", None),
        ("-d /workspace/x.XXXX", None),
        ("-p /x build.XXXX", None),
        ("--tmpdir=/x build.XXXX", None),
        ("--unknown", None),
        ("a.XXXX b.XXXX", None),
    ],
)
def test_mktemp_makes_its_path_in_tmp_or_nobody_knows_where(arguments: str, path: str | None) -> None:
    assert made(arguments.split()) == path


def test_what_mktemp_made_is_a_path_of_its_own() -> None:
    assert argvs('t=$(mktemp -d); rm -rf "$t"/x')[-1] == ("rm", "-rf", "/tmp/tmp.XXXXXXXXXX/x")


@pytest.mark.parametrize(
    "text",
    [
        "TMPDIR=/x; t=$(mktemp -d); rm $t",
        "t=$(mktemp -d); rm $t; export TMPDIR=/x",
        "for i in a b; do t=$(mktemp -d); rm $t; export TMPDIR=/x; done",
        "env TMPDIR=/x bash -c 't=$(mktemp -d); rm $t'",
        "mktemp() { echo /; }; t=$(mktemp -d); rm $t",
        "t=$(mktemp -d; echo x); rm $t",
        "t=$(mktemp -d) t=$x; rm $t",
    ],
)
def test_with_another_folder_for_it_nothing_is_known_of_what_mktemp_made(text: str) -> None:
    assert ("rm", None) in argvs(text)


def test_lines_that_set_a_tool_up_are_those_of_the_tool() -> None:
    assert sets_up(["conda", "shell.bash", "hook"]) is not None
    assert sets_up(["conda", "shell.bash", "hook", "x"]) is None
    assert read('eval "$(ssh-agent -s)"').script.inline_code == ()
    assert read('eval "$(tool hook)"').script.inline_code != ()


@pytest.mark.parametrize("text", ['p=$!; trap "kill $p" EXIT', 'trap "rm -f /tmp/x.$$" EXIT', 'bash -c "kill -0 $$"'])
def test_digits_make_no_text_unknown(text: str) -> None:
    assert read(text).script.inline_code == ()


@pytest.mark.parametrize(
    "text", ['trap "kill $p" EXIT', 'p=$!; read p; trap "kill $p" EXIT', 'p=$!x$y; trap "kill $p" EXIT']
)
def test_what_may_be_more_than_digits_does(text: str) -> None:
    assert [code.code for code in read(text).script.inline_code] == [None]


@pytest.mark.parametrize(
    "pipeline",
    [
        "nproc",
        "wc -l",
        "date +%s",
        "date -u +%Y%m%d_%H%M%S",
        "seq 5",
        "git rev-parse --short=8 HEAD",
        "seq -w 1 ?",
        "grep -n x f | cut -d: -f1",
        "grep -nE x f | head -1 | cut -f1 -d:",
    ],
)
def test_what_only_counts_is_known(pipeline: str) -> None:
    assert counts([command.split() for command in pipeline.split(" | ")])


@pytest.mark.parametrize(
    "pipeline",
    [
        "cat x",
        "wc -l f",
        "date",
        "date +%c",
        "git rev-parse --show-toplevel HEAD",
        "date +-%F",
        "date -d x +%s",
        "seq -f %s 3",
        "seq ?",
        "cut -d: -f1",
        "grep x f | cut -d: -f1",
        "grep -rn x | cut -d: -f1",
        "grep -n x f g | cut -d: -f1",
        "grep -n --color x f | cut -d: -f1",
        "grep -n x f | sed s/1/e/ | cut -d: -f1",
        "grep -n x f | cut -d: -f2",
    ],
)
def test_what_may_print_more_than_numbers_is_not(pipeline: str) -> None:
    assert not counts([command.split() for command in pipeline.split(" | ")])


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ('sed -n "$(grep -n x f | cut -d: -f1),+5p" f', True),
        ('sed -n "$((n)),+5p" f', True),
        ('sed "$((n))e id" f', False),
        ('sed "s/x/y/w $((n)).x" f', False),
        ('grep() { cat x; }; sed -n "$(grep -n x f | cut -d: -f1)p" f', False),
        ('sed "$x" f', False),
    ],
)
def test_a_script_with_numbers_in_it_is_known_where_it_only_prints_and_changes(text: str, known: bool) -> None:  # noqa: FBT001
    assert (read(text).script.inline_code == ()) == known


@pytest.mark.parametrize(
    ("form", "arguments", "text"),
    [
        (".%s", ["env"], ".env"),
        ("%s%s\\n", ["a", "b"], "ab\n"),
        ("100%%", [], "100%"),
        ("\\056env", [], ".env"),
        ("\\0561", [], ".1"),
        ("%s", [], None),
        ("%s", ["a", "b"], None),
        ("%d", ["1"], None),
        ("%b", ["a"], None),
        ("-v", [], None),
        ("\\x2e", [], None),  # other shells print it as it is
        ("\\000", [], None),
        ("\\c", [], None),
    ],
)
def test_printf_is_known_where_every_shell_prints_the_same(form: str, arguments: list[str], text: str | None) -> None:
    assert formatted(form, arguments) == text


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["seq", "3"], "1\n2\n3"),
        (["seq", "4", "5"], "4\n5"),
        (["seq", "0"], None),
        (["seq", "1", "11"], None),
        (["seq", "1", "2", "9"], None),
        (["seq", "-w", "3"], None),
        (["seq", "-f", "3"], None),
        (["seq"], None),
        (["echo", "3"], None),
    ],
)
def test_few_numbers_are_written_out(argv: list[str], text: str | None) -> None:
    assert few_numbers(argv) == text
