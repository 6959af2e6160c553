"""Finding and ending every process below one, without a fork and however fast it forks."""

import contextlib
import os
import signal
import time
from collections.abc import Callable

PASSES = 200  # a pids limit of 1,024 needs a handful; bounded so that the agent always comes back
HUNT_S = 0.05  # a chain of forks met its end within 3 ms; most of this is for a keeper that has yet to reap
LOOKS = 50
STATE, PARENT, THREADS = 0, 1, 17  # fields of /proc/PID/stat, counted after the name


def _stat(pid: int | str) -> list[bytes]:
    """Raises OSError where there is no such process."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return file.read(512).rsplit(b")", 1)[1].split()


def _lives(told: list[bytes]) -> bool:
    """No zombie: those are over, but for one whose first thread alone is."""
    return told[STATE] != b"Z" or int(told[THREADS]) > 1


def parents() -> dict[int, int]:
    """pid -> parent pid of every process that lives."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                told = _stat(entry)
                if _lives(told):
                    found[int(entry)] = int(told[PARENT])
    return found


def parent(pid: int) -> int:
    """Raises OSError where there is no such process."""
    return int(_stat(pid)[PARENT])


def is_stopped(pid: int) -> bool:
    """Whether somebody's signal holds it."""
    try:
        return _stat(pid)[STATE] in (b"T", b"t")
    except OSError:
        return False


def below(root: int) -> set[int]:
    """Every live process under `root`, itself left out."""
    children: dict[int, list[int]] = {}
    for pid, above in parents().items():
        children.setdefault(above, []).append(pid)
    found, unseen = set[int](), [root]  # level by level, a chain of 900 took a fifth of a second
    while unseen:
        more = children.pop(unseen.pop(), [])
        found.update(more)
        unseen += more
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


def count(keeper: int, is_clear: Callable[[], bool]) -> int:
    """How many live below one. A look that finds none may have come between two that follow each other."""
    found = len(below(keeper))
    looks = LOOKS
    while not found and looks and not is_clear():
        found = sum(_is_alive(child) for child in _children(keeper))
        looks -= 1
    return found


def hunt(keeper: int, is_clear: Callable[[], bool]) -> None:
    """End what forks and ends faster than /proc is looked through: each of it becomes a child of its keeper, and those
    the kernel names at once. For a bounded time."""
    until = time.monotonic() + HUNT_S
    while time.monotonic() < until:
        children = _children(keeper)
        if not children or is_clear():  # asked after the look: what was seen may be the next command's leader
            return
        for pid in reversed(children):  # the newest may not have forked yet
            _send(pid, signal.SIGKILL)


def _children(pid: int) -> list[int]:
    """Zombies among them; none where the kernel does not name them."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb", buffering=0) as file:
            return [int(child) for child in file.read().split()]
    except OSError:
        return []


def _is_alive(pid: int) -> bool:
    try:
        return _lives(_stat(pid))
    except OSError:
        return False


def _send(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
