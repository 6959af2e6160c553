import io
from typing import Any

import pytest

from policy.verdict import Permit
from server.sandbox.sandbox import Exit, Output, Running
from server.sandbox.telling import HEAD, MAX_BLOB, MAX_PATH, BadReading, is_below, records, tell
from tests.fakes import FakeCommand, FakeSandbox
from tests.live import using

pytestmark = pytest.mark.anyio
END = HEAD.pack(b".", 0, 0, 0, 0)


def record(kind: bytes, path: bytes, blob: bytes = b"", mode: int = 0o644, size: int = 0) -> bytes:
    return HEAD.pack(kind, mode, size, len(path), len(blob)) + path + blob


async def told(data: bytes) -> list[str]:
    box = FakeSandbox(tells={"names": data})
    with await tell(box, using("/w"), "names", "/w", b"") as file:
        return [one.path for one in records(file)]


async def test_what_is_told_is_taken_apart() -> None:
    assert await told(record(b"d", b"a") + record(b"f", b"a/\xff") + END) == ["a", "a/\udcff"]


@pytest.mark.promise("workspace.copy")
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"garbage that is no head at all, whatever it says",
        record(b"f", b"a"),
        record(b"f", b"../a") + END,
        record(b"f", b"/etc/passwd") + END,
        record(b"f", b"a/../../b") + END,
        record(b"f", b"a//b") + END,
        record(b"f", b"") + END,
        record(b"f", b"a\0b") + END,
        record(b"?", b"a") + END,
        HEAD.pack(b"f", 0, 0, MAX_PATH + 1, 0) + b"a" * (MAX_PATH + 1) + END,
        HEAD.pack(b"f", 0, 0, 1, MAX_BLOB + 1) + END,
    ],
)
async def test_a_lying_agent_is_not_believed(data: bytes) -> None:
    with pytest.raises(BadReading):
        await told(data)


@pytest.mark.promise("workspace.copy")
def test_a_size_that_no_file_has_is_not_looked_for() -> None:
    with pytest.raises(BadReading, match="larger than any"):
        list(records(io.BytesIO(record(b"f", b"a", size=(1 << 64) - 1) + END), with_files=True))


@pytest.mark.promise("workspace.copy")
def test_no_mode_brings_setuid() -> None:
    found = list(records(io.BytesIO(record(b"f", b"a", mode=0o106755) + END)))

    assert [one.mode for one in found] == [0o755]


@pytest.mark.promise("workspace.copy")
async def test_a_flood_is_stopped_at_the_bound() -> None:
    box = Flooding()
    with pytest.raises(BadReading, match="more than can be looked through"):
        await tell(box, using("/w"), "names", "/w", b"", most=1000)

    assert box.commands[0].stopped == ["cancelled"]


class Flooding(FakeSandbox):
    async def look(self, permit: Permit, verb: str, folder: str, told: bytes, output: Output) -> Running:
        command = FakeCommand(output)
        self.commands = [command]
        for _ in range(20):
            output.write(1, b"x" * 100)
        return command


class Failing(FakeSandbox):
    async def look(self, permit: Permit, verb: str, folder: str, told: bytes, output: Output) -> Running:
        output.write(2, b"Permission denied")
        output.ended(Exit("exited", exit_code=1))
        return FakeCommand(output)


async def test_why_it_failed_is_said() -> None:
    with pytest.raises(BadReading, match="Permission denied"):
        await tell(Failing(), using("/w"), "names", "/w", b"")


@pytest.mark.parametrize(
    ("path", "below"),
    [
        ("a", True),
        ("a/b", True),
        (".a", True),
        ("", False),
        ("/", False),
        ("a/", False),
        ("..", False),
        ("a/..", False),
    ],
)
def test_only_the_shortest_form_of_a_path_below_is_one(path: str, below: Any) -> None:
    assert is_below(path) is below
