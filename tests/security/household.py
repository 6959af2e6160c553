"""A real server whose network, and so its gate's, is the fake internet; all else of the machine is as it was."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import anyio

from tests.egress.world.internet import Internet
from tests.end_to_end.rig import Home


@dataclass(frozen=True, slots=True)
class Household(Home):
    """See the module."""

    internet: Internet | None = None

    @property
    def argv(self) -> list[str]:
        assert self.internet is not None
        return self.internet.inside(Home.argv.__get__(self))

    def gates(self) -> list[int]:
        """The egress processes of this server."""
        return [pid for pid in self.pids() if b"--control-fd" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")]

    def gate(self) -> int:
        (found,) = self.gates()
        return found

    def signal(self, number: int) -> int:
        """Send it to the gate; its pid."""
        pid = self.gate()
        os.kill(pid, number)
        return pid


async def eventually(fits: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Look again and again, while the server goes on."""
    end = time.monotonic() + seconds
    while not fits():
        assert time.monotonic() < end, what
        await anyio.sleep(0.05)
