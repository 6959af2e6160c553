from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from policy.command import Reading, ScriptFacts
from policy.question import RunCommand, UseFile, UseHost
from server.asks import Caller, FileAsk, RunAsk, Target, never
from server.judge.host_patterns import BadHost
from server.questions import Questions
from server.sandbox.sandbox import Found
from tests.fake_gateway import gateway
from tests.fakes import SPEC, PlainReader

pytestmark = pytest.mark.anyio

ANN = Caller("ann", ("dev",))
TARGET = Target("default", "base")


@pytest.fixture
def questions(tmp_path: Path) -> Questions:
    return gateway(tmp_path).questions


def using(path: str, **more: Any) -> FileAsk[None]:
    return FileAsk[None]("file_edit", TARGET, "write", path, {"path": path}, never, **more)


async def test_a_command_is_asked_about_as_it_would_run(questions: Questions) -> None:
    argv = ("/bin/bash", "-c", "make all")
    ask = RunAsk("shell", TARGET, argv, "make all", "../tmp/x/", b"in", 10, 5, background=True, arguments={"a": 1})

    question = await questions.of_command(ANN, ask)

    assert question.act == RunCommand(argv, "/tmp/x", b"in", 10, background=True)
    assert question.reading is not None
    assert [(command.argv, command.cwd) for command in question.reading.commands] == [(("make", "all"), "/tmp/x")]
    assert (question.caller.id, question.caller.roles, question.tool, question.call) == (
        "ann",
        ("dev",),
        "shell",
        {"a": 1},
    )
    assert (question.session.name, question.session.environment) == ("default", "base")


def test_an_edit_is_asked_about_as_a_write_and_as_a_read(questions: Questions) -> None:
    question = questions.of_file(ANN, using("sub/../f", reads_too=True))

    assert question.act == UseFile("write", "/workspace/f")
    assert [(use.asked, use.resolved, use.op, use.area) for use in question.paths] == [
        ("sub/../f", "/workspace/f", "write", "workspace"),
        ("sub/../f", "/workspace/f", "read", "workspace"),
    ]


@pytest.mark.promise("files.handle")
def test_what_a_path_turns_out_to_be_is_asked_about_in_every_use_of_it(questions: Questions) -> None:
    asked = questions.of_file(ANN, using("link", reads_too=True))

    again = questions.as_found(asked, Found(1, "/etc/shadow", exists=True, kind="file", size=1), SPEC)

    assert again.act == UseFile("write", "/etc/shadow")
    assert [(use.resolved, use.op, use.area) for use in again.paths] == [
        ("/etc/shadow", "write", "system"),
        ("/etc/shadow", "read", "system"),
    ]


def test_a_host_is_asked_about_with_its_port_and_what_is_none_is_an_error(questions: Questions) -> None:
    assert questions.of_host(ANN, TARGET, "A.example:8443").act == UseHost("a.example", 8443)
    with pytest.raises(BadHost):
        questions.of_host(ANN, TARGET, "https://a.example/")


@dataclass
class CountingReader(PlainReader):
    read: list[str] = field(default_factory=list)
    error: str | None = None

    async def read_script(self, text: str, cwd: str, home: str, workspaces: tuple[str, ...]) -> Reading:
        self.read.append(text)
        reading = await super().read_script(text, cwd, home, workspaces)
        return replace(reading, script=ScriptFacts(parse_error=self.error))


def running(text: str, **more: Any) -> RunAsk:
    return replace(
        RunAsk("shell", TARGET, ("/bin/bash", "-c", text), text, None, b"", 10, 5, background=False, arguments={}),
        **more,
    )


async def test_a_command_is_read_once_for_a_caller_and_anew_from_elsewhere(questions: Questions) -> None:
    questions = replace(questions, reader=(reader := CountingReader()))
    first = await questions.of_command(ANN, running("make all"))

    again = await questions.of_command(ANN, running("make all", stdin=b"other", timeout_s=20))

    assert again.reading is first.reading
    assert (again.act, first.act) == (
        RunCommand(("/bin/bash", "-c", "make all"), "/workspace", b"other", 20, background=False),
        RunCommand(("/bin/bash", "-c", "make all"), "/workspace", b"", 10, background=False),
    )
    assert reader.read == ["make all"]
    for caller, ask in (
        (Caller("bob", ("dev",)), running("make all")),
        (ANN, running("make all", cwd="/tmp")),
        (ANN, running("make  all")),
    ):
        assert (await questions.of_command(caller, ask)).reading is not first.reading
    assert len(reader.read) == 4


async def test_what_could_not_be_read_and_what_is_long_is_read_anew(questions: Questions) -> None:
    questions = replace(questions, reader=(reader := CountingReader(error="the parser did not answer")))
    for _ in range(2):
        await questions.of_command(ANN, running("make all"))
    reader.error = None
    for _ in range(2):
        await questions.of_command(ANN, running("x" * 9000))

    assert len(reader.read) == 4
