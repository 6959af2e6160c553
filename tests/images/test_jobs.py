"""The agent's view of one command, with a keeper and a leader that are played."""

import errno
import importlib
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.images.world import AGENT
from tests.waiting import until

sys.path.insert(0, str(AGENT))  # the agent is a folder on PID 1's path, not a package
jobs: Any = importlib.import_module("jobs")
spawn: Any = importlib.import_module("spawn")
tree: Any = importlib.import_module("tree")
NOTHING = SimpleNamespace(out_of_memory=lambda: 0, out_of_processes=lambda: 0)


@pytest.fixture
def leader() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "66"]) as made:
        yield made
        made.kill()


@pytest.fixture
def job(leader: subprocess.Popen[bytes]) -> Iterator[Any]:
    """Its leader has the plan and has not become the command."""
    ours, theirs = socket.socketpair()
    with ours, theirs, selectors.DefaultSelector() as selector:
        keeper = SimpleNamespace(pid=leader.pid, hear=lambda: False)
        made = jobs.Job(1, keeper, wire=None, selector=selector, counters=NOTHING, timeout_s=None)
        made.start = SimpleNamespace(leader=leader.pid, over=False, failed=None, look=lambda: None)
        yield made


def test_a_leader_that_has_no_time_is_waited_for(job: Any) -> None:
    job.tend(job.started + spawn.EXEC_PATIENCE_S + 1)
    assert (job.reason, job.running) == ("exited", False)
    assert job.next_moment() <= job.started + spawn.EXEC_PATIENCE_S + 1 + spawn.LOOK_AGAIN_S

    job.start.over = True
    job.tend(job.started + spawn.EXEC_LONGEST_S + 1)
    assert (job.reason, job.running) == ("exited", True)


def test_a_leader_that_somebody_stopped_is_given_up(job: Any, leader: subprocess.Popen[bytes]) -> None:
    leader.send_signal(signal.SIGSTOP)
    until(lambda: tree.is_stopped(leader.pid))
    job.tend(job.started + spawn.EXEC_PATIENCE_S)

    assert job.reason == "stalled"


def test_a_leader_that_never_begins_is_given_up_as_well(job: Any) -> None:
    job.tend(job.started + spawn.EXEC_LONGEST_S + 1)

    assert job.reason == "no_time"


def test_room_that_the_next_command_has_not_is_no_failure_of_this_one(
    job: Any, leader: subprocess.Popen[bytes]
) -> None:
    def news(kind: int, status: int) -> bytes:
        return bytes(spawn._NEWS.pack(kind, leader.pid, status, False, 0, 0.0, 0.0, job.started))

    job.start.is_of = lambda pid: pid == leader.pid
    job.hear_keeper(news(spawn.News.ENDED, 0))
    job.hear_keeper(news(spawn.News.FULL, 11))

    assert (job.end.status, job.failure) == (0, None)


def open_here() -> set[str]:
    found = set[str]()
    for handle in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one that lists them
            found.add(str(handle.readlink()))
    return found


@pytest.mark.promise("sandbox.survives")
@pytest.mark.parametrize("had", range(3))
def test_a_command_that_finds_no_room_for_its_pipes_takes_none_with_it(
    had: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = list[str]()

    def some(_: int) -> tuple[int, int]:
        if len(made) == had:
            raise OSError(errno.EMFILE, "no more")
        ends = os.pipe()
        made.append(str(Path(f"/proc/self/fd/{ends[0]}").readlink()))
        return ends

    monkeypatch.setattr(jobs.os, "pipe2", some)
    with pytest.raises(OSError, match="no more"):
        jobs.launch(1, None, None, None, None, None, None, None, stdin=b"", stdin_stays=False)

    assert len(made) == had
    assert not open_here() & set(made)
