"""Finding and ending every process below one, without a fork and however fast it forks."""

import contextlib
import os
import signal
from collections.abc import Callable

PASSES = 200  # a pids limit of 1,024 needs a handful; bounded so that the agent always comes back


def parents() -> dict[int, int]:
    """pid -> parent pid of every process, zombies left out."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{entry}/stat", "rb") as file:
                state, parent = file.read(512).rsplit(b")", 1)[1].split()[:2]
                if state != b"Z":
                    found[int(entry)] = int(parent)
    return found


def parent(pid: int) -> int:
    """Raises OSError where there is no such process."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read(512).rsplit(b")", 1)[1].split()[1])


def below(root: int) -> set[int]:
    """Every live process under `root`, itself left out."""
    tree, found, grown = parents(), set[int](), True
    while grown:
        more = {pid for pid, parent in tree.items() if parent == root or parent in found} - found
        found |= more
        grown = bool(more)
    return found


def end_orphans(kept: set[int]) -> None:
    """End what the agent inherited: a keeper that died (the OOM killer may choose one) leaves its tree to PID 1."""
    for pid in [pid for pid, parent in parents().items() if parent == 1 and pid not in kept]:
        end_all(pid)
        _send(pid, signal.SIGKILL)


def is_gone(child: int) -> bool:
    """Whether a child of ours is reaped, now or before; from then on what it left is ours."""
    try:
        return os.waitpid(child, os.WNOHANG)[0] == child
    except ChildProcessError:
        return True


def signal_all(root: int, number: int) -> int:
    """Send one signal to all below `root`; the number of processes it reached."""
    return sum(_send(pid, number) for pid in below(root))


def end_all(root: int, is_clear: Callable[[], bool] = lambda: False) -> bool:
    """Stop all below `root` until no new ones appear, then kill them; again, until none is there. False if some still is.

    is_clear: asked after each look, whether what was to be ended was gone before it: then what was seen is another's.
    """
    for _ in range(PASSES):
        stopped = below(root)
        if not stopped or is_clear():
            return True
        for pid in stopped:
            _send(pid, signal.SIGSTOP)
        if below(root) <= stopped:
            for pid in stopped:
                _send(pid, signal.SIGKILL)
    for pid in below(root):
        _send(pid, signal.SIGKILL)
    return not below(root)


def _send(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
