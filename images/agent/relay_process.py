"""The resolver and relay as the agent keeps them: another process with another uid, and what that asks of the agent."""

import contextlib
import os
import resource
import selectors
import socket
import struct
import time
from collections.abc import Callable

import kernel

GATE = "/run/sandgate/egress.sock"
UID = 1001  # and gid
OPEN_FILES = 1024
REST_S = 1.0  # between two starts of one that keeps ending
QUESTIONS = 32  # answered in one turn; then the agent's other work has its own


class RelayProcess:
    """One at a time, and another when it ended. `whose` answers its questions: see whose.py."""

    def __init__(
        self, ports: tuple[int, ...], selector: selectors.BaseSelector, whose: Callable[[bytes], bytes]
    ) -> None:
        self._ports, self._selector, self._whose = ports, selector, whose
        self._asking: socket.socket | None = None
        self._started = 0.0
        self.pid = 0

    def ended(self, pid: int) -> None:
        """Some child of the agent's is gone."""
        self.pid = 0 if pid == self.pid else self.pid

    def keep(self) -> None:
        """Start it where it is not there; where there is no room for a process, the next look tries again."""
        if not self.pid and time.monotonic() - self._started > REST_S:
            self._started = time.monotonic()
            with contextlib.suppress(OSError):
                self._start()

    def _start(self) -> None:
        self._hang_up()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                self.pid = os.fork()
            except OSError:
                ours.close()
                raise
            if self.pid == 0:
                _serve(theirs, self._ports)
        ours.setblocking(False)
        self._asking = ours
        self._selector.register(ours, selectors.EVENT_READ, self._hear)

    def _hear(self) -> None:
        for _ in range(QUESTIONS):
            try:
                if not self._answer():
                    break
            except BlockingIOError:
                return
            except (OSError, struct.error):  # gone, or what it asks makes no sense: the agent outlives either
                break
        else:
            return
        self._hang_up()

    def _answer(self) -> bool:
        """One question; False where nobody asks any more. Raises BlockingIOError where nobody does now."""
        assert self._asking is not None  # noqa: S101 - watched only while it is there
        question = self._asking.recv(64)
        if question:
            self._asking.send(self._whose(question))
        return bool(question)

    def _hang_up(self) -> None:
        if self._asking is not None:
            self._selector.unregister(self._asking)
            self._asking.close()
            self._asking = None


def _serve(asking: socket.socket, ports: tuple[int, ...]) -> None:
    """The process's whole life, with no way back to the agent's uid."""
    try:
        import relay  # noqa: PLC0415 - while the agent goes on, which never needs it; another uid could not read it

        kept = os.dup2(asking.fileno(), 3)
        os.closerange(kept + 1, 1 << 16)  # the line to the server is not for it
        resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
        os.setgroups([])
        os.setresgid(UID, UID, UID)
        os.setresuid(UID, UID, UID)
        kernel.drop_capabilities()
        relay.serve(GATE, ports, socket.socket(fileno=kept))
    finally:
        os._exit(1)
