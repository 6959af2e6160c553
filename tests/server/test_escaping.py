"""A person reads what is there."""

import logging

import pytest

from server.escaping import Printed, escaped, one_line


@pytest.mark.promise("approval.bound")
@pytest.mark.promise("workspace.copy")
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ls -la\nrm x", "ls -la\nrm x"),
        ("a\x1b[2Kb", r"a\x1b[2Kb"),
        ("\x9b2J", r"\x9b2J"),
        ("a\rb", r"a\rb"),
        ("a\x08", r"a\x08"),
        ("a\u202eb", r"a\u202eb"),
        ("a\u200bb", r"a\u200bb"),
        ("a\u2028b", r"a\u2028b"),
        ("a\xa0b", r"a\xa0b"),
        ("a\x00", r"a\x00"),
        ("ünï 漢字\tok", "ünï 漢字\tok"),
        ("\ud800\udcff", r"\ud800\udcff"),
    ],
)
def test_nothing_hides(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_where_one_line_is_expected_there_is_one() -> None:
    assert one_line("a\nb\tc\u2028d 漢") == r"a\nb\tc\u2028d 漢"


def test_a_line_of_the_log_is_one_line_and_a_traceback_as_many_as_it_has(caplog: pytest.LogCaptureFixture) -> None:
    try:
        int("x\x1by")
    except ValueError:
        logging.getLogger("t").exception("a\nsandgate: %s", "\x1b[2J")
    said = Printed().format(caplog.records[0])

    assert said.startswith("sandgate: a\\nsandgate: \\x1b[2J\nTraceback")
    assert said.splitlines()[-1].startswith("ValueError: invalid literal")
