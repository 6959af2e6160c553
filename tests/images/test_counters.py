"""What the control group's own files say, in the form of either version: a kernel has one of them, and ours the first."""

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.images.world import AGENT

sys.path.insert(0, str(AGENT))  # the agent is a folder on PID 1's path, not a package
counters: Any = importlib.import_module("counters")

# As Linux 6.18 writes them: what is counted stands among what is not.
V1 = {
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n",
    "pids/pids.events": "max {}\n",
}
V2 = {
    "memory.events": "low 0\nhigh 4\nmax 9\noom 7\noom_kill {}\noom_group_kill 5\n",
    "pids.events": "max {}\n",
}


def count(root: Path, files: dict[str, str], memory: int, processes: int) -> None:
    for (name, text), number in zip(files.items(), (memory, processes), strict=True):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text.format(number))


@pytest.mark.promise("result.truthful")
@pytest.mark.parametrize("files", [V1, V2], ids=["v1", "v2"])
def test_each_look_tells_what_the_kernel_has_counted_by_then(tmp_path: Path, files: dict[str, str]) -> None:
    count(tmp_path, files, 0, 0)
    seen = counters.Counters(str(tmp_path))
    assert (seen.out_of_memory(), seen.out_of_processes()) == (0, 0)

    count(tmp_path, files, 3, 12)
    assert (seen.out_of_memory(), seen.out_of_processes()) == (3, 12)


def test_a_kernel_without_counters_counts_nothing(tmp_path: Path) -> None:
    seen = counters.Counters(str(tmp_path))

    assert (seen.out_of_memory(), seen.out_of_processes()) == (0, 0)


def test_room_is_what_others_than_root_may_use() -> None:
    size, files = counters.disk_room("/")
    found = os.statvfs("/")

    assert 0 <= size <= found.f_blocks * found.f_frsize
    assert 0 <= files <= found.f_files
