"""Ending a tree: all of it, and nothing that came in its place."""

import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.images.world import AGENT
from tests.waiting import until

sys.path.insert(0, str(AGENT))  # the agent is a folder on PID 1's path, not a package
tree: Any = importlib.import_module("tree")
CHAIN = """
import ctypes, os
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # a subreaper, as keepers are
if os.fork() == 0:
    print("up", flush=True)
    while True:
        if os.fork(): os._exit(0)
try:
    while True: os.wait()
except ChildProcessError: pass
"""
SHELL = ["/bin/sh", "-c", "sleep 66 & sleep 66 & echo up; wait"]


@pytest.fixture
def root() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(SHELL, stdout=subprocess.PIPE) as shell:
        assert shell.stdout is not None
        shell.stdout.readline()
        yield shell
        tree.end_all(shell.pid)
        shell.kill()


def test_all_below_is_ended(root: subprocess.Popen[bytes]) -> None:
    assert len(tree.below(root.pid)) == 2

    assert tree.end_all(root.pid)
    assert not tree.below(root.pid)


def test_what_is_seen_once_all_was_gone_is_another_s(root: subprocess.Popen[bytes]) -> None:
    seen = tree.below(root.pid)

    assert tree.end_all(root.pid, lambda: True)
    assert tree.below(root.pid) == seen


@pytest.mark.promise("sandbox.survives")
def test_what_forks_and_ends_faster_than_a_look_is_counted_and_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", CHAIN], stdout=subprocess.PIPE, start_new_session=True) as keeper:
        assert keeper.stdout is not None
        keeper.stdout.readline()

        def is_clear() -> bool:
            return keeper.poll() is not None

        def is_ended() -> bool:
            tree.hunt(keeper.pid, is_clear)
            return is_clear()

        try:
            until(lambda: tree.count(keeper.pid, is_clear))
            until(is_ended)
        finally:
            if not is_clear():
                os.killpg(keeper.pid, signal.SIGKILL)

    assert keeper.returncode == 0


def test_a_hunt_spares_what_is_there_once_all_was_gone(root: subprocess.Popen[bytes]) -> None:
    tree.hunt(root.pid, lambda: True)

    assert len(tree.below(root.pid)) == 2
    assert tree.count(root.pid, lambda: True) == 2


def test_who_is_stopped_is_known(root: subprocess.Popen[bytes]) -> None:
    assert not tree.is_stopped(root.pid)
    root.send_signal(signal.SIGSTOP)

    until(lambda: tree.is_stopped(root.pid))
    root.send_signal(signal.SIGCONT)
    until(lambda: not tree.is_stopped(root.pid))


def test_a_chain_as_long_as_a_sandbox_may_have_processes_is_seen_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = {pid: pid - 1 for pid in range(2, 5000)} | {9000: 1, 9001: 9000}
    monkeypatch.setattr(tree, "parents", lambda: chain)

    assert tree.below(1) == chain.keys()
    assert tree.below(4000) == set(range(4001, 5000))
    assert tree.below(9000) == {9001}
    assert tree.below(8000) == set()
