"""How much memory a process and its control group have, as the kernel counts it."""

from pathlib import Path
from typing import Final

_GROUPS: Final = Path("/sys/fs/cgroup")


def peak_mb(pid: int) -> float:
    """The most that a process ever had in memory."""
    return _counted(pid, "VmHWM:")


def resident_mb(pid: int) -> float:
    """What a process has in memory now."""
    return _counted(pid, "VmRSS:")


def parent(pid: int) -> int:
    """The process that started it, or that inherited it."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _counted(pid: int, name: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1000 for line in lines if line.startswith(name)), 0.0)


def charged_mb(pid: int) -> float:
    """Memory of the control group that a process is in; 0 where this machine does not show it."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "memory":
            return _working_set(_GROUPS / "memory" / path[1:], "memory.usage_in_bytes", "total_inactive_file")
        if not controllers and (_GROUPS / path[1:] / "memory.current").exists():
            return _working_set(_GROUPS / path[1:], "memory.current", "inactive_file")
    return 0.0


def _working_set(group: Path, usage: str, droppable: str) -> float:
    counted = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    return (int((group / usage).read_text()) - int(counted[droppable])) / 1e6
