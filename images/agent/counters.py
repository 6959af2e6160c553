"""What the sandbox's own control group counted, and how much room is on its disk."""

import os

OOM = ("memory.events", "memory/memory.oom_control")  # control groups v2, v1
PIDS = ("pids.events", "pids/pids.events")


class Counters:
    """Each file is opened once. A counter that the kernel does not have stays at 0."""

    def __init__(self, root: str = "/sys/fs/cgroup") -> None:
        self._oom, self._pids = _first(root, OOM), _first(root, PIDS)

    def out_of_memory(self) -> int:
        """How often the kernel killed something in this sandbox for memory."""
        return _read(self._oom, b"oom_kill ")

    def out_of_processes(self) -> int:
        """How often a fork in this sandbox was refused because of its limit of processes."""
        return _read(self._pids, b"max ")


def disk_room(path: str = "/") -> tuple[int, int]:
    """Bytes and files that still fit: of the sandbox's quota where there is one, else of the host's file system."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize, found.f_favail


def _first(root: str, names: tuple[str, ...]) -> int:
    for name in names:
        path = os.path.join(root, name)
        if os.path.exists(path):
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    return -1


def _read(file: int, name: bytes) -> int:
    if file >= 0:
        for line in os.pread(file, 4096, 0).splitlines():
            if line.startswith(name):
                return int(line[len(name) :])
    return 0
