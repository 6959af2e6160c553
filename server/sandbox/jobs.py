"""Commands as the server keeps them: output on disk, the end when it comes, and a way to wait for either."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import anyio

from server.sandbox.sandbox import Exit, Running
from server.sandbox.spool import Spool

HEAD_BYTES, TAIL_BYTES = 48 << 20, 16 << 20  # of each stream that are kept
STOP_GRACE_S = 2.0
STOP_PATIENCE_S = 6.0

type Stream = Literal["stdout", "stderr"]


class NoSuchJob(Exception):
    """The session has no job of that name, or none at all."""


class Job:
    """One command, running or over. It is the Output that the sandbox's line writes to."""

    def __init__(self, name: str, shown: str, folder: Path, decision_id: str, on_end: Callable[[Exit], None]) -> None:
        self.name, self.shown, self.decision_id = name, shown, decision_id
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.streams = {
            "stdout": Spool(folder / f"{name}.out", HEAD_BYTES, TAIL_BYTES),
            "stderr": Spool(folder / f"{name}.err", HEAD_BYTES, TAIL_BYTES),
        }
        self.end: Exit | None = None
        self.lost_bytes = 0  # of its output, that could not be kept
        self.refused_hosts: list[str] = []  # what the gate refused while it ran, the first few
        self.command: Running | None = None
        self._over = anyio.Event()
        self._news = anyio.Event()
        self._on_end = on_end

    # --- Output ------------------------------------------------------------------------------------------------------

    def write(self, stream: int, data: bytes) -> None:
        try:
            self.streams["stdout" if stream == 1 else "stderr"].write(data)
        except OSError:  # the server's disk is full, or its folder gone: the command goes on, and its result says so
            self.lost_bytes += len(data)
        self._wake()

    def ended(self, end: Exit) -> None:
        self.end = end
        self._over.set()
        self._wake()
        self._on_end(end)

    def _wake(self) -> None:
        self._news.set()
        self._news = anyio.Event()

    # --- waiting -----------------------------------------------------------------------------------------------------

    async def wait(self, seconds: float) -> Exit | None:
        """Its end, or None where it still runs after that many seconds."""
        if self.end is None:
            with anyio.move_on_after(seconds):
                await self._over.wait()
        return self.end

    async def news(self) -> None:
        """Until more output has come, or the end. Bounded by whoever calls."""
        if self.end is None:
            await self._news.wait()

    async def stop(self, signal: int, reason: str) -> Exit | None:
        """End the whole tree, by that signal and then KILL; its end, or None where even that took too long."""
        if self.command is not None and (self.end is None or self.end.left_behind):
            await self.command.stop(signal, reason, STOP_GRACE_S)
        return await self.wait(STOP_PATIENCE_S)

    @property
    def status(self) -> str:
        return "running" if self.end is None else self.end.status

    def close(self) -> None:
        for spool in self.streams.values():
            spool.close()
