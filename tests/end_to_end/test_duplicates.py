"""Hosts start a server twice, or only to ask for its tools: none of them shares, fights or leaves anything."""

import shutil
import signal
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from tests.end_to_end.rig import Home, RawServer
from tests.waiting import until


@pytest.fixture
def home(own_folder: Path) -> Home:
    return Home(own_folder, settings='environment = "base"\n[sandbox]\nidle = 0\n')


def said(answer: dict[str, object]) -> str:
    content = answer["content"]
    assert isinstance(content, list)
    return str(content[0]["text"])


def written(home: Home) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(home.folder / "state/sandgate.db")) as rows:
        return rows.execute("SELECT id, server, state FROM sessions").fetchall()


@pytest.mark.promise("session.alone")
def test_a_second_server_of_the_same_folders_has_its_own_session_and_says_so(home: Home) -> None:
    first = RawServer.start(home)
    first.shell("echo first > mine")
    second = RawServer.start(home)
    answer = said(second.shell("ls; echo second > mine"))

    assert "mine" not in answer.splitlines()
    assert "another running server of these folders has a session default too" in answer
    assert "another running server" not in said(second.shell("true"))
    assert said(first.shell("cat mine")) == "first"
    second.end(signal.SIGTERM)
    assert said(first.shell("cat mine")) == "first"
    first.end(signal.SIGTERM)
    until(lambda: not home.processes(), "a process is left")


def test_a_server_that_is_called_while_the_one_before_it_still_ends_has_its_session(home: Home) -> None:
    """As where a client is started again: its next server is there before the last one has put everything away."""
    first = RawServer.start(home)
    first.shell("echo first > mine")
    says_so = home.folder / "state/servers" / home.server_id / "ending"
    second = RawServer.start(home)
    first.process.send_signal(signal.SIGTERM)
    until(lambda: says_so.exists() or first.process.poll() is not None, "the first does not end")

    assert said(second.shell("cat mine")) == "first"
    first.wait()
    second.ask("tools/call", {"name": "session_close", "arguments": {}})
    second.end(signal.SIGTERM)


@pytest.mark.promise("session.alone")
def test_of_two_servers_at_once_one_has_what_an_earlier_one_left(home: Home) -> None:
    first = RawServer.start(home)
    first.shell("echo first > mine")
    first.end(signal.SIGTERM)
    both = [RawServer.start(home) for _ in range(2)]
    for server in both:
        server.last += 1
        call = {"name": "shell", "arguments": {"command": "cat mine || true"}}
        server.tell("tools/call", call, id=server.last)
    answers = sorted((said(server.answer_to(server.last)) for server in both), key=lambda text: text != "first")

    assert answers[0] == "first"
    assert "No such file" in answers[1]
    assert "another running server of these folders has a session default too" in answers[1]
    for server in both:
        server.ask("tools/call", {"name": "session_close", "arguments": {}})
        server.end(signal.SIGTERM)


@pytest.mark.promise("nothing.left")
def test_a_probe_that_lists_tools_writes_nothing_down_and_takes_nothing(home: Home) -> None:
    first = RawServer.start(home)
    first.shell("echo first > mine")
    before = written(home)
    probe = RawServer.start(home)
    probe.ask("tools/list", {})
    assert home.sandboxes() == []  # by the label of the server that started last
    probe.end(signal.SIGTERM)

    assert written(home) == before
    assert said(first.shell("cat mine")) == "first"
    first.end(signal.SIGTERM)


@pytest.mark.promise("nothing.left")
def test_a_probe_on_a_fresh_machine_makes_no_record_of_sessions(home: Home) -> None:
    probe = RawServer.start(home)
    probe.ask("tools/list", {})
    probe.end(signal.SIGTERM)

    assert not (home.folder / "state/sandgate.db").exists()
    assert home.sandboxes() == []


@pytest.mark.promise("session.alone")
def test_two_servers_on_one_engine_leave_each_others_sandboxes_alone(home: Home) -> None:
    folder = Path(tempfile.mkdtemp(prefix="sg"))
    other = Home(folder, settings=home.settings)
    first, second = RawServer.start(home), RawServer.start(other)
    first.shell("echo first > mine")
    second.shell("echo second > mine")
    second.end(signal.SIGKILL)
    third = RawServer.start(other)
    third.shell("true")

    assert said(first.shell("cat mine")) == "first"
    assert len(home.sandboxes()) == 1
    third.end(signal.SIGTERM)
    assert said(first.shell("cat mine")) == "first"
    first.end(signal.SIGTERM)
    shutil.rmtree(folder, ignore_errors=True)
