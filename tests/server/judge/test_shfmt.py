import random
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import anyio
import pytest

from policy.command import Reading
from policy.reading.tree import Unparsable
from server.judge import shfmt
from server.judge.shfmt import ParserMissing, ShellParser, decode, locate
from tests.policy.reading.mutations import CORPUS
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.anyio
WORDS = """find "$SRC" -name '*.py' | xargs grep -n TODO | sort -u > todo.txt"""


@pytest.fixture
async def parser() -> AsyncIterator[ShellParser]:
    async with ShellParser(timeout_s=PATIENCE_S) as started:
        yield started


def scripted(folder: Path, body: str) -> str:
    """A stand-in for shfmt."""
    program = folder / "shfmt"
    program.write_text(f"#!{sys.executable}\n{body}\n")
    program.chmod(0o755)
    return str(program)


async def read(parser: ShellParser, text: str) -> Reading:
    return await parser.read_script(text, "/workspace", "/home/dev", ("/workspace",))


def children() -> set[str]:
    found = set[str]()
    for task in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # a thread of another test's that ends just now
            found.update(task.read_text().split())
    return found


async def test_a_script_is_read(parser: ShellParser) -> None:
    assert [command.name for command in (await read(parser, WORDS)).commands] == ["find", "xargs", "grep", "sort"]


async def test_a_text_in_a_text_is_read_by_another_process(parser: ShellParser) -> None:
    reading = await read(parser, "sh -c \"eval 'one; two'\"; trap 'three' EXIT")

    assert {command.name for command in reading.commands} >= {"one", "two", "three"}


async def test_a_plain_text_needs_no_process(tmp_path: Path) -> None:
    async with ShellParser(str(tmp_path / "nothing")) as parser:
        reading = await read(parser, "cd src && ls -l; sh -c 'one'")

    assert [command.name for command in reading.commands] == ["cd", "ls", "sh", "one"]


async def test_an_argv_is_read(parser: ShellParser) -> None:
    reading = await parser.read_argv(("env", "sh", "-c", "one"), "/workspace", "/home/dev", ())

    assert [command.name for command in reading.commands] == ["env", "sh", "one"]


async def test_what_is_not_bash_is_an_error_that_says_where(parser: ShellParser) -> None:
    error = str((await read(parser, "echo 'x")).script.parse_error)

    assert error.startswith("1:6:")


async def test_many_at_once_are_all_read(parser: ShellParser) -> None:
    readings: list[Reading] = []

    async def one(number: int) -> None:
        readings.append(await read(parser, f"echo {number} &"))

    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(one, number)

    assert {reading.commands[0].argv[1] for reading in readings} == {str(number) for number in range(20)}


async def test_processes_wait_ahead_and_none_is_left_behind() -> None:
    before = children()
    async with ShellParser(ready=2) as parser:
        with anyio.fail_after(PATIENCE_S):
            while len(children() - before) < 2:
                await anyio.wait_all_tasks_blocked()
        await read(parser, WORDS)

    assert children() <= before


async def test_a_process_that_died_while_it_waited_is_replaced(tmp_path: Path) -> None:
    healthy = tmp_path / "healthy"
    body = f"import os, sys\nif os.path.exists({str(healthy)!r}):\n    os.execv({locate()!r}, sys.argv)"
    async with ShellParser(scripted(tmp_path, body), ready=1, timeout_s=PATIENCE_S) as parser:
        with anyio.fail_after(PATIENCE_S):
            while not parser._ready or not parser._ready[0].is_over():
                await anyio.wait_all_tasks_blocked()
        healthy.touch()

        assert (await read(parser, "one &")).script.parse_error is None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("import sys; sys.exit(3)", ""),
        ("import sys; sys.stdin.read(); print('[1]')", "[1]"),
        ("import sys; sys.stdin.read(); print('{}')", "no syntax tree"),
        ("import sys; sys.stdin.read(); print('{' * 200000)", "could not be read"),
        ("import sys; sys.stdin.read(); sys.stdout.write('{' + ' ' * 8000000)", "larger"),
        ("import sys; sys.stdin.read(); print('{\"a\":' * 100000)", "could not be read"),
    ],
)
async def test_a_parser_that_misbehaves_is_an_error(tmp_path: Path, body: str, reason: str) -> None:
    async with ShellParser(scripted(tmp_path, body), timeout_s=PATIENCE_S) as parser:
        reading = await read(parser, "ls &")

    assert reading.commands == ()
    assert reason in str(reading.script.parse_error)


async def test_a_parser_that_hangs_is_an_error(tmp_path: Path) -> None:
    async with ShellParser(scripted(tmp_path, "import time; time.sleep(60)"), timeout_s=0.2) as parser:
        assert "did not answer" in str((await read(parser, "ls &")).script.parse_error)


async def test_a_parser_that_cannot_be_started_is_an_error(tmp_path: Path) -> None:
    async with ShellParser(str(tmp_path / "nothing")) as parser:
        assert (await read(parser, "ls &")).script.parse_error == "the shell parser could not be started"


async def test_a_script_that_costs_too_much_is_an_error(parser: ShellParser) -> None:
    with anyio.fail_after(PATIENCE_S):
        reading = await read(parser, "a;" * 16_000)

    assert reading.script.parse_error


async def test_limits_hold_each_process(parser: ShellParser) -> None:
    with anyio.fail_after(PATIENCE_S):
        while not parser._ready:
            await anyio.wait_all_tasks_blocked()
    limits = await anyio.Path(f"/proc/{parser._ready[0].pid}/limits").read_text()

    rows = {line[:26].strip(): line[26:].split()[:2] for line in limits.splitlines()[1:]}
    assert rows["Max address space"] == [str(shfmt.ADDRESS_BYTES)] * 2
    assert rows["Max data size"] == [str(shfmt.MEMORY_BYTES)] * 2
    assert rows["Max cpu time"] == [str(shfmt.CPU_S)] * 2
    assert rows["Max core file size"] == ["0", "0"]


async def test_broken_commands_by_the_hundred_leave_nothing_behind() -> None:
    texts = [broken(number) for number in range(200)]
    before, open_before = children(), len(list(Path("/proc/self/fd").iterdir()))
    async with ShellParser(ready=2) as parser:
        readings = [await read(parser, text) for text in texts]

        with anyio.fail_after(PATIENCE_S):  # those that have answered are reaped, and no more wait than are wanted
            while len(children() - before) > 2:
                await anyio.sleep(0.01)
    assert all(isinstance(reading, Reading) for reading in readings)
    assert children() <= before
    assert len(list(Path("/proc/self/fd").iterdir())) <= open_before


def broken(number: int) -> str:
    """A command of the corpus with a piece of another in its middle: the same one for the same number."""
    chance = random.Random(number)
    text, other = chance.choice(CORPUS), chance.choice(CORPUS)
    start, end = sorted(chance.randrange(len(text) + 1) for _ in range(2))
    return f"{text[:start]}{other[chance.randrange(len(other) + 1) :]}{text[end:] * chance.randrange(3)}"


async def test_a_megabyte_never_reaches_a_parser(tmp_path: Path) -> None:
    async with ShellParser(str(tmp_path / "nothing")) as parser:
        assert "longer" in str((await read(parser, "say " + "a" * 1_000_000)).script.parse_error)
        assert "longer" in str((await read(parser, "sh -c '" + "(" * 1_000_000 + "'")).script.parse_error)


def test_an_answer_that_is_no_tree_is_refused() -> None:
    assert isinstance(decode(b"[" * 100_000), Unparsable)
    assert isinstance(decode(b'{"Type": "File"'), Unparsable)
    assert isinstance(decode(b'{"Type": "Word"}'), Unparsable)
    assert isinstance(decode(b"\xff"), Unparsable)
    assert decode(b'{"Type": "File"}') == {"Type": "File"}


def test_the_parser_is_the_one_installed_beside_this_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda _: "/nonexistent")
    assert locate().endswith("/shfmt")
    monkeypatch.setattr(shfmt, "files", lambda _: [])
    with pytest.raises(ParserMissing):
        locate()
