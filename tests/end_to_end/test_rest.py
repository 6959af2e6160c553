"""Sessions that nobody uses come to rest and back, in a real server with short periods."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.rig import Home, RawServer, until
from tests.real_engine import client

SETTINGS = 'environment = "base"\n[sandbox]\nidle = 0\ngrace_s = 3\n'


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="sg"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def output(answer: dict[str, object]) -> str:
    assert isinstance(answer["structuredContent"], dict), answer
    return str(answer["structuredContent"]["stdout"])


def paused(home: Home) -> bool:
    with client() as api:
        return all(api.inspect_container(name)["State"]["Paused"] for name in home.containers())


def test_a_session_is_frozen_and_the_next_call_finds_it_as_it_was(folder: Path) -> None:
    home = Home(folder, settings=f"{SETTINGS}freeze_after_s = 0.2\n")
    server = RawServer.start(home)
    server.shell("echo kept > kept")
    until(lambda: paused(home), "it was not frozen", 10)

    assert output(server.shell("cat kept")) == "kept\n"
    assert [line["kind"] for line in home.audit("session.")][:2] == ["session.frozen", "session.thawed"]
    until(lambda: paused(home), "it was not frozen again", 10)
    read = server.ask("tools/call", {"name": "file_read", "arguments": {"path": "kept"}})
    assert "kept" in read["content"][0]["text"]
    server.end(signal.SIGTERM)
    assert home.containers() == []


def test_a_command_that_runs_on_is_never_held_up(folder: Path) -> None:
    home = Home(folder, settings=f"{SETTINGS}freeze_after_s = 0.05\n")
    server = RawServer.start(home)
    started = server.shell("for i in $(seq 15); do sleep 0.1; done; echo done", background=True)["structuredContent"]
    told = server.ask("tools/call", {"name": "job_output", "arguments": {"job": started["job"], "wait_s": 30}})

    assert "done" in told["content"][0]["text"]
    assert home.audit("session.frozen") == []
    until(lambda: paused(home), "it was not frozen when the command was over", 10)
    server.end(signal.SIGTERM)


@pytest.mark.promise("nothing.left")
def test_a_frozen_sandbox_does_not_outlive_a_server_that_was_killed(folder: Path) -> None:
    home = Home(folder, settings=f"{SETTINGS}freeze_after_s = 0.2\n")
    server = RawServer.start(home)
    server.shell("echo kept > kept")
    until(lambda: paused(home), "it was not frozen", 10)
    server.end(signal.SIGKILL)

    until(lambda: not home.containers(), "the frozen sandbox is still there", 20)
