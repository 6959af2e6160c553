"""An agent's account of an end, put into our words; what has no sense is an error, never an exit code."""

from typing import Any

import pytest

from server.sandbox.ends import NO_DISK, NO_PIDS, OOM_BESIDE, read_end
from server.sandbox.sandbox import Exit

MIB = 1 << 20
TOLD: dict[str, Any] = {
    "reason": "exited", "exit_code": 0, "signal": None, "oom": False, "no_pids": False,
    "disk_room": [100 * MIB, 100 * MIB], "left": 0, "utime": 0.1, "stime": 0.1, "maxrss_kb": 1000, "duration_ms": 5.2,
}  # fmt: skip


def end(**told: Any) -> Exit:
    return read_end(TOLD | told)


def test_a_plain_exit_carries_what_it_used() -> None:
    assert end(exit_code=3) == Exit("exited", 3, None, 5, 0.2, 1000)


@pytest.mark.promise("result.truthful")
@pytest.mark.parametrize(
    ("told", "status", "exit_code", "detail"),
    [
        ({"exit_code": None, "signal": 9, "oom": True}, "out_of_memory", None, ""),
        ({"exit_code": 137, "oom": True}, "out_of_memory", None, ""),
        ({"exit_code": 1, "oom": True}, "exited", 1, OOM_BESIDE),
        ({"exit_code": None, "signal": 9}, "killed", None, ""),
        ({"exit_code": None, "signal": 15, "reason": "job_stop"}, "killed", None, "job_stop"),
        ({"exit_code": 0, "reason": "job_stop"}, "killed", None, "job_stop"),
        ({"exit_code": None, "signal": 15, "reason": "timed_out"}, "timed_out", None, ""),
        ({"exit_code": 143, "reason": "timed_out"}, "timed_out", None, ""),
        ({"exit_code": 143, "reason": "timed_out", "no_pids": True}, "timed_out", None, NO_PIDS),
        ({"exit_code": 0, "reason": "timed_out", "oom": True}, "timed_out", None, OOM_BESIDE),
        ({"exit_code": None, "signal": 15, "oom": True}, "killed", None, OOM_BESIDE),
        ({"exit_code": None, "signal": 15, "reason": "job_stop", "oom": True}, "killed", None, "job_stop"),
        ({"exit_code": None, "signal": 9, "reason": "cancelled"}, "cancelled", None, ""),
        ({"exit_code": 254, "no_pids": True}, "exited", 254, NO_PIDS),
        ({"exit_code": 0, "no_pids": True}, "exited", 0, ""),
        ({"exit_code": 1, "disk_room": [5 * MIB, 0]}, "disk_full", 1, "the command filled the sandbox's disk"),
        ({"exit_code": 1, "disk_room": [0, 0]}, "exited", 1, NO_DISK),
        ({"exit_code": 0, "disk_room": [5 * MIB, 0]}, "exited", 0, ""),
    ],
)
def test_each_end_is_told_as_it_was(told: dict[str, Any], status: str, exit_code: int | None, detail: str) -> None:
    found = end(**told)

    assert (found.status, found.exit_code, found.detail) == (status, exit_code, detail)


@pytest.mark.promise("result.truthful")
@pytest.mark.parametrize(("number", "words"), [(11, "no room for another process"), (7, "Argument list too long")])
def test_what_never_ran_has_no_exit_code(number: int, words: str) -> None:
    found = read_end({"reason": "not_started", "errno": number})

    assert (found.status, found.exit_code) == ("killed", None)
    assert words in found.detail


@pytest.mark.parametrize(
    "nonsense",
    [
        {"duration_ms": -1}, {"duration_ms": 1e300}, {"exit_code": "0"}, {"exit_code": True}, {"reason": "invented"},
        {"disk_room": [1]}, {"disk_room": 1}, {"left": None}, {"maxrss_kb": 1 << 80}, {"signal": 1.5},
    ],
)  # fmt: skip
def test_nonsense_is_no_end(nonsense: dict[str, Any]) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        end(**nonsense)
