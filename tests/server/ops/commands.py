"""What the tests of commands share beside their `machine`: the sentence with which one fails."""

import pytest

from server import cli

type Said = pytest.CaptureFixture[str]


def refused(capsys: Said, *argv: str) -> str:
    """The sentence with which a command fails."""
    assert cli.main(argv) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("sandgate: ")
    assert said.err.count("\n") == 1
    return said.err.removeprefix("sandgate: ").rstrip("\n")
