"""The operator's socket over a gateway of fakes: whom it answers, and what it does not move or look at."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from policy.verdict import Allow, Deny, Rule, Verdict
from server import control
from server.asks import Caller, FileAsk, Target, never
from server.control import Control
from server.judge.limits import TooMany
from server.page_door import PageDoor
from server.sandbox.copies import Copies
from server.sandbox.frames import BYTES, JSON, address, message, piece, taken
from server.sandbox.grants import NotGranted
from server.sandbox.manifest import INSIDE, Sent, seal
from server.sandbox.room import Full
from server.sandbox.sandbox import Copy
from tests.fake_gateway import gateway
from tests.fakes import SPEC, FakeAudit, FakeSandbox, FakeSource, FixedJudge
from tests.waiting import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.promise("workspace.copy")]
KEY = b"k" * 32
WORK = {"owner": "ann", "session": "work"}
NO = Deny((Rule("x.y", "deny", "not that one"),))
COPIED = Copy("/home/ann/project", "/workspace/project", 1, 2)


def ask(folder: Path, *frames: bytes) -> tuple[list[dict[str, Any]], bytes]:
    """What is said to a question until the other side says that it is done, or hangs up; and the bytes beside it."""
    waiting, said, data = bytearray(), list[dict[str, Any]](), bytearray()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        sock.connect(address(folder))
        sock.sendall(b"".join(frames))
        while not (said and said[-1].keys() & {"done", "error"}) and (came := sock.recv(1 << 20)):
            waiting += came
            for kind, body in taken(waiting):
                if kind == JSON:
                    said.append(json.loads(body))
                data += body if kind == BYTES else b""
    return said, bytes(data)


@dataclass
class Rig:
    folder: Path
    box: FakeSandbox = field(default_factory=FakeSandbox)
    audit: FakeAudit = field(default_factory=FakeAudit)
    judge: FixedJudge = field(default_factory=lambda: FixedJudge(Allow()))
    page: PageDoor = field(default_factory=PageDoor)
    disk_bytes: int = SPEC.disk_bytes

    @asynccontextmanager
    async def served(self) -> AsyncGenerator["Rig"]:
        """With a session of ann's, into which a folder was copied."""
        spec = replace(SPEC, copies=(COPIED,), disk_bytes=self.disk_bytes)
        self.box.files[INSIDE] = seal((Sent(COPIED.source, COPIED.target),), KEY)
        source = FakeSource([self.box])
        made = gateway(self.folder, judge=self.judge, source=source, audit=self.audit, environments={"base": spec})
        listed = FileAsk[None]("file_list", Target("work", "base"), "list", "/", {}, never)
        with pytest.raises(AssertionError):  # the session is there by then
            await made.use_file(Caller("ann"), listed)
        self.audit.record.lines.clear()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Control(made, Copies(source, KEY, lambda _: None), self.folder, self.page).serve)
            await anyio.wait_all_tasks_blocked()
            yield self
            tasks.cancel_scope.cancel()

    async def ask(self, question: dict[str, Any], *frames: bytes) -> tuple[list[dict[str, Any]], bytes]:
        return await anyio.to_thread.run_sync(ask, self.folder, message(question), *frames)

    async def refused(self, question: dict[str, Any], *frames: bytes) -> str:
        said, _ = await self.ask(question, *frames)
        return str(said[0]["error"])


async def test_whoever_runs_the_server_is_answered(tmp_path: Path) -> None:
    async with Rig(tmp_path).served() as rig:
        (said,), _ = await rig.ask({"do": "sessions"})

    assert [(one["owner"], one["session"]) for one in said["done"]] == [("ann", "work")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else for a moment")
async def test_another_user_is_hung_up_on_unheard(tmp_path: Path) -> None:
    script = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1].replace('@', chr(0), 1));"
        "s.send(bytes.fromhex(sys.argv[2])); sys.stdout.write(s.recv(99).hex())"
    )
    where, question = address(tmp_path).replace("\0", "@"), message({"do": "sessions"}).hex()

    def other() -> subprocess.CompletedProcess[bytes]:
        argv = [sys.executable, "-I", "-S", "-c", script, where, question]
        return subprocess.run(argv, user=65534, group=65534, cwd="/", capture_output=True, timeout=60, check=False)

    async with Rig(tmp_path).served():
        said = await anyio.to_thread.run_sync(other)

    assert said.stdout == b""


async def test_a_file_goes_out_and_in_by_the_one_path_as_its_owners_call(tmp_path: Path) -> None:
    async with Rig(tmp_path, FakeSandbox(files={"/workspace/a": b"hi"})).served() as rig:
        said, data = await rig.ask({"do": "read", **WORK, "path": "/workspace/a"})
        written, _ = await rig.ask(
            {"do": "write", **WORK, "path": "/workspace/b", "size": 3}, piece(b"ne"), piece(b"w")
        )

    assert (said, data) == ([{"size": 2, "executable": False}, {"done": 2}], b"hi")
    assert written == [{"done": "/workspace/b"}]
    assert rig.box.files["/workspace/b"] == b"new"
    assert rig.audit.record.lines == [
        "started ann file_read", "allow file_read", "ended done", "started ann file_write", "allow file_write", "ended done",
    ]  # fmt: skip
    assert rig.judge.asked[-1].call["by"] == "the operator, at the command line"


async def test_what_the_policy_denies_is_denied_to_the_operator_as_well(tmp_path: Path) -> None:
    by_path: dict[str, Verdict] = {"/workspace/a": NO}
    rig = Rig(tmp_path, FakeSandbox(files={"/workspace/a": b"hi"}), judge=FixedJudge(Allow(), by_path))
    async with rig.served():
        assert "not that one [x.y]" in await rig.refused({"do": "read", **WORK, "path": "/workspace/a"})
        assert "policy says no" in await rig.refused(
            {"do": "write", **WORK, "path": "/workspace/a", "size": 1}, piece(b"x")
        )

    assert rig.box.files["/workspace/a"] == b"hi"


@pytest.mark.parametrize("size", [-1, SPEC.disk_bytes + 1])
async def test_a_file_of_no_size_that_is_moved_is_refused_before_it_is_waited_for(tmp_path: Path, size: int) -> None:
    async with Rig(tmp_path).served() as rig:
        said = await rig.refused({"do": "write", **WORK, "path": "/workspace/b", "size": size})

    assert said == f"it has {size} bytes, and a session's disk {SPEC.disk_bytes}"
    assert "/workspace/b" not in rig.box.files


@pytest.mark.parametrize(("size", "parts"), [(0, []), (2, []), (5, [b"12", b"34"])])
async def test_a_file_goes_in_in_parts_however_they_come_and_may_be_a_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, parts: list[bytes]
) -> None:
    monkeypatch.setattr(control, "PIECE", 2)
    async with Rig(tmp_path).served() as rig:
        asked = {"do": "write", **WORK, "path": "/workspace/b", "size": size, "executable": True}
        said, _ = await rig.ask(asked, piece(b"1"), piece(b"2345"))

    assert said == [{"done": "/workspace/b"}]
    assert rig.box.files["/workspace/b"] == b"12345"[:size]
    assert rig.box.added == parts
    assert rig.box.programs == {"/workspace/b"}


async def test_a_file_that_stops_coming_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "PIECE", 2)

    def hang_up() -> None:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(address(tmp_path))
            sock.sendall(message({"do": "write", **WORK, "path": "/workspace/b", "size": 9}) + piece(b"12345"))

    async with Rig(tmp_path).served() as rig:
        await anyio.to_thread.run_sync(hang_up)
        await eventually(lambda: rig.box.dropped)

    assert rig.box.added == [b"12", b"34"]
    assert rig.box.beside == b""
    assert "/workspace/b" not in rig.box.files


async def test_a_file_of_any_size_comes_out_in_pieces_and_one_of_holes_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "PIECE", 2)
    files = {"/workspace/five": b"12345", "/workspace/none": b"", "/workspace/six": b"123456"}
    async with Rig(tmp_path, FakeSandbox(files=files), disk_bytes=5).served() as rig:
        said, whole = await rig.ask({"do": "read", **WORK, "path": "/workspace/five"})
        empty = await rig.ask({"do": "read", **WORK, "path": "/workspace/none"})
        refused, nothing = await rig.ask({"do": "read", **WORK, "path": "/workspace/six"})

    assert (said, whole) == ([{"size": 5, "executable": False}, {"done": 5}], b"12345")
    assert empty == ([{"size": 0, "executable": False}, {"done": 0}], b"")
    assert ("nearly all of it is holes" in refused[0]["error"], nothing) == (True, b"")


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"do": "contents", "folder": COPIED.target, "paths": ["../x"]}, "none below the folder"),
        ({"do": "contents", "folder": COPIED.target, "paths": ["a", "/etc/passwd"]}, "none below the folder"),
        ({"do": "contents", "folder": "/etc", "paths": ["passwd"]}, "/etc was not copied into session work"),
        ({"do": "contents", "folder": COPIED.target, "paths": ["a"]}, "not the folder any more"),  # it is a file there
        ({"do": "changes"}, "not the folder any more"),
        ({"do": "changes", "session": "other"}, "other"),
        ({"do": "changes", "owner": "eve"}, "work"),
        ({"do": "page"}, "this server shows no page"),
        ({"do": "everything"}, "may be of another version"),
    ],
)
async def test_nothing_is_looked_at_but_what_was_copied_and_is_still_there(
    tmp_path: Path, question: dict[str, Any], said: str
) -> None:
    async with Rig(tmp_path).served() as rig:
        assert said in await rig.refused({**WORK, **question})

    assert rig.box.looks == []


async def test_a_record_that_is_not_ours_is_not_believed(tmp_path: Path) -> None:
    async with Rig(tmp_path).served() as rig:
        rig.box.files[INSIDE] = seal((Sent("/etc", COPIED.target),), b"x" * 32)

        assert "is not this installation's" in await rig.refused({"do": "changes", **WORK})


async def test_where_nothing_was_copied_there_are_no_changes(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    async with rig.served():
        made = gateway(tmp_path / "other", source=FakeSource([rig.box]), audit=rig.audit)
        with pytest.raises(AssertionError):
            await made.use_file(
                Caller("ann"), FileAsk[None]("file_list", Target("work", "base"), "list", "/", {}, never)
            )
        (tmp_path / "second").mkdir()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(
                Control(made, Copies(FakeSource(), KEY, lambda _: None), tmp_path / "second", rig.page).serve
            )
            await anyio.wait_all_tasks_blocked()
            said, _ = await anyio.to_thread.run_sync(ask, tmp_path / "second", message({"do": "changes", **WORK}))
            tasks.cancel_scope.cancel()

    assert "nothing was copied into session work" in said[0]["error"]


@pytest.mark.parametrize("why", [Full("no room", 5), NotGranted("no role"), TooMany("no hurry", 5)])
async def test_why_a_session_cannot_be_had_now_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: Exception
) -> None:
    async def fails(*_: object) -> Verdict:
        raise why

    async with Rig(tmp_path).served() as rig:
        monkeypatch.setattr(rig.judge, "decide", fails)
        said = await rig.refused({"do": "read", **WORK, "path": "/workspace/a"})

    assert said == str(why)


async def test_a_session_is_closed_for_whoever_runs_the_server(tmp_path: Path) -> None:
    async with Rig(tmp_path).served() as rig:
        said, _ = await rig.ask({"do": "close", **WORK})
        (left,), _ = await rig.ask({"do": "sessions"})

    assert said == [{"done": "work"}]
    assert left["done"] == []
    assert rig.box.closed
