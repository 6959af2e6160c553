"""A real server whose network, and so its gate's, is the fake internet; all else of the machine is as it was."""

import os
from dataclasses import dataclass

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

    def gate(self) -> int:
        """The egress process of this server."""
        return self.pid_of("--control-fd")

    def signal(self, number: int) -> int:
        """Send it to the gate; its pid."""
        pid = self.gate()
        os.kill(pid, number)
        return pid
