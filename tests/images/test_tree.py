"""Ending a tree: all of it, and nothing that came in its place."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.images.world import AGENT

sys.path.insert(0, str(AGENT))  # the agent is a folder on PID 1's path, not a package
tree: Any = importlib.import_module("tree")
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
