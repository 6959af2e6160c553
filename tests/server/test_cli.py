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
from server.commands import command_parser
from server.record.approval_rows import ApprovalRows
from server.record.audit import Audit
from server.record.chain import BrokenChain
from server.record.snapshot_rows import SnapshotRows
from server.record.suspicion_rows import SuspicionRows
from server.settings.files import load
from server.settings.settings import BadSettings
from tests.server.record.test_approval_rows import ROW
from tests.server.record.test_snapshot_rows import row

PROGRAM = str(Path(sys.executable).with_name("sandgate"))


def parsers(parser: argparse.ArgumentParser, *words: str) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    """Every command, with the words that call it."""
    yield words, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, inner in action.choices.items():
                yield from parsers(inner, *words, word)


ALL = dict(parsers(command_parser()))
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
    untold = [each.dest for each in ALL[words]._actions if each.help is None]
    assert untold == [] or words not in WORKING


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
        ["bench", "--only", "exex"],
        ["images", "build", "nodde"],
        ["policy", "check"],
        ["policy", "check", "ls", "--host", "a.example"],
        ["policy", "check", "ls", "--method", "GET"],
        ["policy", "explain"],
        ["cp", "a", "b"],
        ["cp", "s:/a", "t:/b"],
        ["cp", ":/a", "b"],
        ["serve", "--stdio", "--tools", "shells"],
        ["serve", "--stdio", "--workspace", "/tmp:rwx"],
        ["install", "cursor", "--", "--tools", "shells"],
        ["token", "new", "ann", "--role", " "],
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


def test_small_commands_wait_for_neither_the_sdk_nor_the_engines_client() -> None:
    small = ("engine", "tokens", "installing", "init", "approvals", "sessions", "audit", "allow")
    brings = "import sys, importlib\nfor name in sys.argv[1:]:\n importlib.import_module('server.ops.' + name)\n"
    brings += " print(name, *{'mcp', 'docker'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", brings, *small], capture_output=True, text=True, check=True).stdout

    assert said.splitlines() == list(small)


def test_help_does_not_load_what_it_speaks_of() -> None:
    loaded = "import sys; from server.commands import command_parser; command_parser(); print([m for m in sys.modules if 'server.ops' in m])"

    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True, timeout=60)

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


@pytest.mark.parametrize("code", cli.MENDS)
def test_what_the_system_says_of_a_file_is_a_sentence_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int
) -> None:
    commanded(monkeypatch, OSError(code, os.strerror(code), "/the/file"))

    assert cli.main(["doctor"]) == 1
    said = f"sandgate: /the/file cannot be used ({os.strerror(code)}): {cli.MENDS[code]}\n"
    assert capsys.readouterr() == ("", said)


STATEFUL = [
    ("sessions", "list"), ("sessions", "release", "s"), ("snapshots", "list"), ("snapshots", "delete", "s"),
    ("approvals", "list"), ("approvals", "allow", "a-1"), ("approvals", "revoke", "a-1"), ("approvals", "deny", "a-1"),
]  # fmt: skip


@pytest.mark.parametrize("words", STATEFUL, ids=" ".join)
@pytest.mark.parametrize("broken", ["garbage", "folder", "state"])
def test_a_state_that_cannot_be_used_is_one_sentence_with_what_to_do(
    machine: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], broken: str
) -> None:
    database = machine / "state/sandgate/sandgate.db"
    if broken == "garbage":
        database.parent.mkdir(parents=True)
        database.write_text("no database, but long enough to be looked at as one" * 100)
    elif broken == "folder":
        database.mkdir(parents=True)
    else:
        (machine / "state").write_text("a file")
    code = cli.main(words)
    said = capsys.readouterr()
    assert code in ((0, 1) if broken == "state" else (1,))  # who only reads finds nothing there
    if code:
        assert said.err.startswith("sandgate: ")
        assert said.err.count("\n") == 1
    if broken == "garbage":
        assert f"{database} cannot be used (file is not a database): move it aside" in said.err


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("option", ["--readme", "--compare"])
def test_a_file_that_the_bench_cannot_read_is_said_before_it_measures(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, option: str
) -> None:
    assert cli.main(["bench", option, str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"sandgate: {tmp_path} cannot be read: Is a directory\n"


def test_what_a_server_keeps_elsewhere_is_found_by_the_settings_it_was_started_with(
    machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = machine / "named.toml"
    named.write_text(f'state_dir = "{machine}/elsewhere"\n')
    kept = load(named)
    SnapshotRows(kept.database).put(row(1, name="green"))
    ApprovalRows(kept.database).put({**ROW, "ends": 4e9})
    written = Audit(kept.audit_file, "interval")
    written.write("call.decided", {"decision_id": "d-1", "effect": "allow", "rules": []})
    written.close()
    for words, said in (
        ("snapshots list", "green"),
        ("approvals list", "a-1"),
        ("approvals deny a-1", "a-1 is denied"),
        ("audit verify", "1 line in 1 file"),
        ("audit tail", "d-1"),
        ("audit show d-1", "d-1"),
        ("policy learn", "1 decision read"),
    ):
        assert cli.main([*words.split(), "--config", str(named)]) == 0
        assert said in capsys.readouterr().out


@pytest.mark.usefixtures("machine")
def test_a_snapshot_of_somebody_else_is_told_from_none(capsys: pytest.CaptureFixture[str]) -> None:
    SnapshotRows(load().database).put(row(1, name="green", owner="sandgate|bob"))
    assert cli.main(["snapshots", "delete", "green", "--owner", "ann"]) == 1
    assert "there is no snapshot green of ann, only of sandgate|bob;" in capsys.readouterr().err


@pytest.mark.usefixtures("machine")
def test_a_session_is_released_by_its_owners_name(capsys: pytest.CaptureFixture[str]) -> None:
    held = SuspicionRows(load().database)
    for owner in ("sandgate|ann", "sandgate|bob"):
        held.put(owner, "work", "freeze", "why", 1.0)
    assert cli.main(["sessions", "release", "work", "--owner", "carl"]) == 1
    assert "a session work of carl, only of sandgate|ann, sandgate|bob;" in capsys.readouterr().err
    assert cli.main(["sessions", "release", "work", "--owner", "ann"]) == 0
    assert [each["owner"] for each in held.all()] == ["sandgate|bob"]


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
        timeout=60,
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
            timeout=60,
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
