"""What the tests of commands share beside their `machine`: the sentence with which one fails."""

from pathlib import Path

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


def misused(capsys: Said, *argv: str) -> str:
    """The sentence with which a command is not understood, below how it is used."""
    with pytest.raises(SystemExit) as end:
        cli.main(argv)
    said = capsys.readouterr()
    assert (end.value.code, said.out) == (2, "")
    assert said.err.startswith("usage: sandgate ")
    return said.err.partition(": error: ")[2].partition("\n")[0]


def programs(folder: Path, **scripts: str) -> dict[str, str]:
    """An environment whose PATH has these programs first."""
    for name, script in scripts.items():
        path = folder / name.replace("_", "-")
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    return {"PATH": str(folder)}
