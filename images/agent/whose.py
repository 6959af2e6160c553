"""Whose connection it is: the kernel says which process holds its socket, and the tree below which command that runs.

It is looked for only where several commands run, and within a share of the agent's time: a storm of processes or
connections costs names, never the agent.
"""

import os
import struct
import time
from collections.abc import Callable, Iterable

import kernel
import tree

TYPE_CHECKING = False
if TYPE_CHECKING:  # as in loop.py
    from typing import Protocol

    class Marked(Protocol):
        """A command that runs. `mark` is its server's word for it."""

        mark: str

        @property
        def root(self) -> int:
            """The process that all of its own are below."""


QUESTION = struct.Struct("!I4sH4sH")  # of the relay: a number, the program's address and port, the relay's own
NUMBER = struct.Struct("!I")
LOOK_S = 0.005  # of the processor, for one; a sandbox with some dozens of processes takes a tenth of it
SHARE, BURST_S = 0.1, 0.1  # of it, for all
MOST_TABLE = 1 << 18  # bytes of the kernel's list of sockets: 1,700 of them
INODE = 6  # the field, counted after the two addresses


class Whose:
    """Called with a question of the relay's; the answer is its number and the mark, empty where that is not known."""

    def __init__(self, user: kernel.AsUser, running: Callable[[], Iterable["Marked"]]) -> None:
        self._user, self._running = user, running
        self._left, self._at = BURST_S, time.monotonic()

    def __call__(self, question: bytes) -> bytes:
        number, program, port, ours, our_port = QUESTION.unpack(question)
        marks = {job.root: job.mark for job in self._running()}
        mark = self._find(marks, (program, port), (ours, our_port)) if len(set(marks.values())) > 1 else ""
        return NUMBER.pack(number) + mark.encode()

    def _find(self, marks: dict[int, str], program: tuple[bytes, int], ours: tuple[bytes, int]) -> str:
        began, now = time.process_time(), time.monotonic()
        self._left, self._at = min(BURST_S, self._left + (now - self._at) * SHARE), now
        if self._left <= 0:
            return ""
        try:
            inode = socket_of(program, ours)
            holder = self._holder(inode, began + LOOK_S) if inode else 0
            return _above(holder, marks)
        except (OSError, ValueError, IndexError):  # of a process that is just gone
            return ""
        finally:
            self._left -= time.process_time() - began

    def _holder(self, inode: bytes, until: float) -> int:
        """A process that has this socket open, the newest first; 0 where none was found in time."""
        wanted = f"socket:[{inode.decode()}]"
        with self._user:  # whose descriptors only it may see
            for pid in sorted((int(name) for name in os.listdir("/proc") if name.isdigit()), reverse=True):
                if _holds(f"/proc/{pid}/fd", wanted):
                    return pid
                if time.process_time() > until:
                    return 0
        return 0


def _holds(folder: str, wanted: str) -> bool:
    try:
        return any(os.readlink(f"{folder}/{name}") == wanted for name in os.listdir(folder))
    except OSError:
        return False  # another's, or gone


def socket_of(program: tuple[bytes, int], ours: tuple[bytes, int]) -> bytes:
    """The inode of the program's end of a connection over loopback; empty where the kernel lists none."""
    four = f"{_hex(program[0])}:{program[1]:04X} {_hex(ours[0])}:{ours[1]:04X} "
    mapped = "0" * 16 + _hex(b"\0\0\xff\xff")  # as an IPv6 socket, which Java has, sees an IPv4 address
    six = f"{mapped}{_hex(program[0])}:{program[1]:04X} {mapped}{_hex(ours[0])}:{ours[1]:04X} "
    return _listed("/proc/net/tcp", four.encode()) or _listed("/proc/net/tcp6", six.encode())


def _hex(address: bytes) -> str:
    (word,) = struct.unpack("=I", address)  # the kernel prints words of its own byte order
    return f"{word:08X}"


def _listed(table: str, wanted: bytes) -> bytes:
    handle = os.open(table, os.O_RDONLY | os.O_CLOEXEC)
    try:
        rows = b""
        while len(rows) < MOST_TABLE and (piece := os.read(handle, MOST_TABLE)):
            rows += piece
    finally:
        os.close(handle)
    _, found, rest = rows.partition(wanted)
    inode = rest.split(None, INODE + 1)[INODE] if found else b"0"
    return inode if inode != b"0" else b""


def _above(pid: int, marks: dict[int, str]) -> str:
    """The mark of the command that a process is below."""
    while pid > 1:
        if pid in marks:
            return marks[pid]
        pid = tree.parent(pid)
    return ""
