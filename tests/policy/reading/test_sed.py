import pytest

from policy.reading.sed import read
from tests.policy.reader import argvs
from tests.policy.reader import read as read_script


@pytest.mark.parametrize(
    ("script", "runs"),
    [
        ("1e id", ["id"]),
        ("/x/,$!e ls -l", ["ls -l"]),
        ("e", [None]),
        ("s/x/id/e", [None]),
        ("s,x,id,gIe", [None]),
        ("/a/{s/x/y/;s|p|q|e}", [None]),
        ("y/abc/xyz/;1e id", ["id"]),
        ("\\,a/e,e id", ["id"]),
        ("s/[/]/e/;p", [None]),
        ("s/x/y/g", []),
        ("s/a\\/e/b/;p", []),
        ("1,120p", []),
        ("$!N;P;D", []),
        ("/start/,/end/d", []),
        ("a text with e id", []),
        ("1i\\\n e id\n2p", []),
        (":a;N;$!ba;s/\\n/ /g", []),
        ("# e id\np", []),
        ("/e/d", []),
        ("10q;=", []),
    ],
)
def test_what_a_sed_script_runs(script: str, runs: list[str | None]) -> None:
    assert read(script).runs == runs


@pytest.mark.parametrize(
    ("script", "writes"),
    [("w /etc/x", ["/etc/x"]), ("s/a/b/gw out file", ["out file"]), ("/x/W o\nw p", ["o", "p"]), ("s/w/x/", [])],
)
def test_which_files_a_sed_script_writes(script: str, writes: list[str]) -> None:
    assert read(script).writes == writes


def test_which_files_a_sed_script_reads() -> None:
    assert read("r /etc/x").reads == ["/etc/x"]


@pytest.mark.parametrize("script", ["s/x", "s", "K", "y/a/b"])
def test_a_sed_script_that_is_not_understood_is_unclear(script: str) -> None:
    assert read(script).unclear


def test_every_script_of_a_command_line_is_read() -> None:
    assert argvs("sed -e p --expression='1e one' -ne '2e two' f")[1:] == [("one",), ("two",)]
    assert argvs("sed -i.bak '1e one' f")[1:] == [("one",)]
    assert read_script('sed "$script" f').script.inline_code[0].code is None
