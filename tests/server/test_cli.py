"""The words of `sandgate`, and what a shell is told: exit codes, and one sentence where something is wrong."""

import argparse
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest

from server import cli
from server.record.chain import BrokenChain
from server.settings import BadSettings

PROGRAM = str(Path(sys.executable).with_name("sandgate"))


def parsers(parser: argparse.ArgumentParser, *words: str) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    """Every command, with the words that call it."""
    yield words, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, inner in action.choices.items():
                yield from parsers(inner, *words, word)


ALL = dict(parsers(cli._parser()))
WORKING = {words: parser.get_default("work") for words, parser in ALL.items() if parser.get_default("work")}


def commanded(monkeypatch: pytest.MonkeyPatch, error: BaseException | None = None, code: int = 0) -> None:
    """`sandgate doctor` does this instead of its work."""

    def work(_: argparse.Namespace) -> int:
        if error is not None:
            raise error
        return code

    module = ModuleType("server.ops.doctor")
    module.__dict__["doctor"] = work
    monkeypatch.setitem(sys.modules, "server.ops.doctor", module)


def ended(*argv: str) -> object:
    """The code with which argparse itself ends the program."""
    with pytest.raises(SystemExit) as end:
        cli.main(argv)
    return end.value.code


# --- the words ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("words", "said"), [((), "doctor"), (("sessions",), "end one")])
def test_who_leaves_a_word_out_reads_which_there_are(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(*words) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [("-n", "0"), ("--since", "noon"), ("today",)])
def test_what_is_not_understood_says_where_to_look(wrong: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("audit", "tail", *wrong) == 2
    assert capsys.readouterr().err.endswith("`sandgate audit tail --help` says more\n")


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_explains_itself(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(*words, "--help") == 0

    said = capsys.readouterr()
    assert said.out.startswith(" ".join(["usage: sandgate", *words]))
    assert said.err == ""


@pytest.mark.parametrize("words", WORKING, ids=" ".join)
def test_every_command_has_something_that_does_it(words: tuple[str, ...]) -> None:
    module, function = WORKING[words].split(":")

    assert callable(getattr(importlib.import_module(f"server.ops.{module}"), function))


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["srve"],
        ["policy"],
        ["policy", "chek"],
        ["audit"],
        ["audit", "show"],
        ["serve"],
        ["allow"],
        ["install", "notepad"],
        ["doctor", "--jsn"],
        ["audit", "tail", "-n", "0"],
        ["audit", "tail", "-n", "-1"],
        ["audit", "tail", "-n", "few"],
        ["bench", "--calls", "0"],
    ],
    ids=" ".join,
)
def test_what_is_not_understood_ends_with_two_and_the_usage(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(*argv) == 2

    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("usage: sandgate")


def test_help_does_not_load_what_it_speaks_of() -> None:
    loaded = "import sys; from server import cli; cli._parser(); print([m for m in sys.modules if 'server.ops' in m])"

    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True, timeout=30)

    assert done.stdout == "[]\n"


# --- how it ends -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 1])
def test_the_code_is_what_the_command_says(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    commanded(monkeypatch, code=code)

    assert cli.main(["doctor"]) == code


@pytest.mark.parametrize(
    "error",
    [
        BadSettings("the file says nothing"),
        ExceptionGroup("tasks", [BadSettings("the file says nothing")]),
        ExceptionGroup("tasks", [ExceptionGroup("inner", [BadSettings("the file says nothing")])]),
        ExceptionGroup("tasks", [BadSettings("the file says nothing"), BrokenChain("and another")]),
    ],
    ids=["alone", "in a group", "in a group's group", "with another"],
)
def test_an_error_of_ours_is_one_sentence_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    commanded(monkeypatch, error)

    assert cli.main(["doctor"]) == 1
    assert capsys.readouterr() == ("", "sandgate: the file says nothing\n")


@pytest.mark.parametrize(
    "error",
    [ValueError("odd"), ExceptionGroup("tasks", [ValueError("odd")]), BrokenPipeError(32, "somebody else's")],
    ids=["alone", "in a group", "a pipe that is not our output"],
)
def test_an_error_of_somebody_else_is_not_hidden(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    commanded(monkeypatch, error)
    with Path(os.devnull).open("w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        with pytest.raises(type(error)) as raised:
            cli.main(["doctor"])

    assert raised.value is error


def test_an_interrupt_ends_as_shells_expect_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commanded(monkeypatch, KeyboardInterrupt())

    assert cli.main(["doctor"]) == 130
    assert capsys.readouterr() == ("", "")


# --- the real program --------------------------------------------------------------------------------------------------


def environ(home: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(home), "SANDGATE_STATE_DIR": str(home / "state")}


def test_the_real_program_says_its_sentence_too(tmp_path: Path) -> None:
    done = subprocess.run(
        [PROGRAM, "audit", "verify"],
        env=environ(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"sandgate: {tmp_path}/state/audit/audit.jsonl is not there")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("argv", [["policy", "check", "--jsonl"], ["init", "--print"]], ids=" ".join)
def test_a_reader_that_has_left_is_nobodys_error(tmp_path: Path, argv: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [PROGRAM, *argv],
            env=environ(tmp_path),
            input=b'{"command": "ls"}\n',
            stdout=writer,
            stderr=subprocess.PIPE,
            check=False,
            timeout=30,
        )
    finally:
        os.close(writer)

    assert (done.returncode, done.stderr) == (141, b"")


def test_the_version_is_the_distributions(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])

    assert ended.value.code == 0
    assert capsys.readouterr().out == f"sandgate {version('sandgate')}\n"


@pytest.mark.parametrize("grouped", [False, True])
def test_a_table_that_nobody_reads_to_its_end_is_no_error(monkeypatch: pytest.MonkeyPatch, *, grouped: bool) -> None:
    left = SystemExit(1)
    left.__context__ = BrokenPipeError()
    commanded(monkeypatch, BaseExceptionGroup("tasks", [left]) if grouped else left)

    assert cli.main(["doctor"]) == cli.UNREAD


def test_who_answers_no_question_any_more_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    commanded(monkeypatch, EOFError())

    assert cli.main(["doctor"]) == cli.INTERRUPTED
