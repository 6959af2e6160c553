"""How a command ended, from its agent's account: taken apart with suspicion, put into our words."""

import errno
import os
from collections.abc import Mapping
from typing import Any

from server.sandbox.sandbox import Exit, Status

SIGKILL, KILLED_BY_SHELL = 9, 137  # the second is what a shell makes of a child that the first ended
DISK_FULL_BYTES = 1 << 20  # less room than this is called a full disk
LONGEST = 1e12  # seconds: 30,000 years

_ENDS: Mapping[str, tuple[Status, str]] = {
    "exited": ("exited", ""),
    "timed_out": ("timed_out", ""),
    "killed": ("killed", ""),
    "job_stop": ("killed", "job_stop"),
    "cancelled": ("cancelled", ""),
    "server_ended": ("killed", "the server ended"),
    "disk_full": ("disk_full", "it was stopped because the sandbox's disk is full; delete what is not needed"),
    "stalled": ("killed", "something in the sandbox stopped it before it could begin"),
    "no_time": ("killed", "it did not begin in half a minute: the machine or the sandbox is too busy"),
}
NO_PIDS = "the sandbox's limit of processes was met while it ran"
NO_ROOM = "it could not be started: the sandbox has no room for another process; job_stop ends what runs"
NO_DISK = "the sandbox's disk is full"
OOM_BESIDE = "the kernel killed a process in the sandbox for lack of memory while it ran"
AGENT_OUT_OF_MEMORY = Exit("out_of_memory", detail="the sandbox itself was killed with it, and its files are lost")
SERVER_LOST = Exit("killed", detail="the server was lost")  # what the agent ended then, as the next server tells it


def read_end(message: Mapping[str, Any]) -> Exit:
    """The end as far as it has the right shape. Raises ValueError, KeyError, TypeError where it has not."""
    if message["reason"] == "not_started":
        return _never_ran(bounded_integer(message["errno"]))
    status, detail = _ENDS[message["reason"]]
    code, signal = _optional(message["exit_code"]), _optional(message["signal"])
    out_of_memory = message["oom"] is True
    room_before, room = (bounded_integer(room) for room in message["disk_room"])
    exited_by_itself = status == "exited" and code is not None
    well = status == "exited" and code == 0
    if status == "exited" and not well:
        if out_of_memory and (signal == SIGKILL or code == KILLED_BY_SHELL):
            status, code = "out_of_memory", None
        elif room < DISK_FULL_BYTES <= room_before:
            status, detail = "disk_full", "the command filled the sandbox's disk"
        elif signal is not None:
            status = "killed"
    if message["reason"] in ("exited", "timed_out") and not detail:  # what lost a part may wait for it for ever
        met = (
            (out_of_memory and status != "out_of_memory", OOM_BESIDE),
            (message["no_pids"] is True and not well, NO_PIDS),
            (room < DISK_FULL_BYTES and not well, NO_DISK),
        )
        detail = "; ".join(sentence for is_met, sentence in met if is_met)
    return Exit(
        status,
        exit_code=code if exited_by_itself else None,
        signal=signal,
        duration_ms=round(bounded_number(message["duration_ms"])),
        cpu_s=bounded_number(message["utime"]) + bounded_number(message["stime"]),
        peak_memory_kb=bounded_integer(message["maxrss_kb"]),
        left_behind=bounded_integer(message["left"]),
        detail=detail,
    )


def _never_ran(number: int) -> Exit:
    """Not even a process could be made, so there is no exit code."""
    known = {errno.EAGAIN: NO_ROOM, errno.ENOMEM: NO_ROOM}
    return Exit("killed", detail=known.get(number) or f"it could not be started: {os.strerror(number & 0xFFF)}")


def _optional(value: object) -> int | None:
    return None if value is None else bounded_integer(value)


def bounded_integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > 1 << 62:
        raise TypeError("not a bounded integer")
    return value


def bounded_number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < LONGEST:
        raise TypeError("not a bounded number")
    return float(value)
