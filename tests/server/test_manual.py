"""The pages of `--help`: every command has one, and what it tells people to type is understood."""

import shlex

import pytest

from server import cli
from server.commands import command_parser
from server.manual import MANUALS
from tests.server.test_cli import WORKING, parsers

EXAMPLES = [line for manual in MANUALS.values() for line, _ in manual.examples]


def test_every_command_has_a_page_and_no_page_is_about_nothing() -> None:
    assert {*MANUALS} == {" ".join(words) for words in WORKING}


@pytest.mark.parametrize("line", EXAMPLES)
def test_an_example_is_understood_and_is_of_its_own_page(line: str) -> None:
    arguments = command_parser().parse_args(shlex.split(line))

    command = next(" ".join(words) for words, work in WORKING.items() if work == arguments.work)
    assert line in [example for example, _ in MANUALS[command].examples]


def test_help_shows_examples_files_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["policy", "check", "--help"])

    shown = capsys.readouterr().out
    assert "sandgate policy check 'rm -rf build'" in shown
    assert "~/.config/sandgate/sandgate.toml" in shown
    assert "1  asked about, denied, or it failed" in shown


@pytest.mark.parametrize("wide", [80, 60])
def test_no_line_of_help_is_wider_than_a_terminal(monkeypatch: pytest.MonkeyPatch, wide: int) -> None:
    """What is to be typed stands on one line."""
    monkeypatch.setenv("COLUMNS", str(wide))
    helps = [parser.format_help() for _, parser in parsers(command_parser())]
    shown = [line for text in helps for line in text.splitlines() if not line.startswith("  sandgate ")]

    assert [line for line in shown if len(line) > wide] == []
