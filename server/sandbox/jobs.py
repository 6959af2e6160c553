"""Commands as the server keeps them: output on disk, the end when it comes, and a way to wait for either."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

import anyio

from server.sandbox.output_room import OutputRoom
from server.sandbox.sandbox import Exit, FileRefused, Running, SandboxLost
from server.sandbox.spool import Spool

STOP_GRACE_S = 2.0
STOP_PATIENCE_S = 6.0
MOST_OUTPUT_BYTES = 256 << 20  # of a session, where the settings say nothing else

type Stream = Literal["stdout", "stderr"]


class OpenQuestion(Protocol):
    """As a person is shown it, and where the answer goes."""

    @property
    def id(self) -> str: ...

    @property
    def shown(self) -> str: ...

    @property
    def reasons(self) -> tuple[str, ...]: ...


class NoSuchJob(Exception):
    """The session has no job of that name, or none at all."""


class TooManyJobs(Exception):
    """As many commands run in the session as its share of the server's disk has room for the output of."""


class InputRefused(Exception):
    """The job takes no input: it is over, its input was closed, or it has not read what it was sent before."""


class Job:
    """One command, running or over. It is the Output that the sandbox's line writes to."""

    def __init__(
        self,
        name: str,
        shown: str,
        folder: Path,
        decision_id: str,
        on_end: Callable[[Exit], None],
        room: OutputRoom | None = None,
    ) -> None:
        """`room` is shared by the jobs of a session."""
        self.name, self.shown, self.decision_id = name, shown, decision_id
        self._room = room or OutputRoom(MOST_OUTPUT_BYTES)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.streams = {
            "stdout": Spool(folder / f"{name}.out", self._room.make),
            "stderr": Spool(folder / f"{name}.err", self._room.make),
        }
        self._room.enter(self)
        self.end: Exit | None = None
        self.background = False  # started so, or told to its caller as one that runs on
        self.left_behind = 0  # processes of its tree that run on after its end
        self.lost_bytes = 0  # of its output, that could not be kept
        self.gate_said: list[str] = []  # what had no way through the gate while it ran, the first few
        self.questions: list[OpenQuestion] = []  # what it does that waits for a person
        self.command: Running | None = None
        self._over = anyio.Event()
        self._cleared = anyio.Event()
        self._news = anyio.Event()
        self._on_end = on_end

    @classmethod
    def restored(
        cls, name: str, shown: str, folder: Path, decision_id: str, end: Exit, room: OutputRoom | None = None
    ) -> "Job":
        """One that is over, from what another server kept of it."""
        job = cls(name, shown, folder, decision_id, lambda _: None, room)
        make = job._room.make
        job.streams = {
            "stdout": Spool.reopen(folder / f"{name}.out", make),
            "stderr": Spool.reopen(folder / f"{name}.err", make),
        }
        job.ended(end)
        job.cleared()
        return job

    def keep_at_most(self, size: int | None) -> None:
        """Bytes of each stream that the decision lets it keep; None: as many as any job."""
        for spool in self.streams.values() if size is not None else ():
            spool.keep_at_most(size or 0)

    # --- Output ------------------------------------------------------------------------------------------------------

    def write(self, stream: int, data: bytes) -> None:
        spool = self.streams["stdout" if stream == 1 else "stderr"]
        before = spool.total
        try:
            spool.write(data)
        except OSError:  # the server's disk is full, or its folder gone: the command goes on, and its result says so
            self.lost_bytes += len(data) - (spool.total - before)
        self._wake()

    def ended(self, end: Exit) -> None:
        self.end, self.left_behind = end, end.left_behind
        for spool in self.streams.values():
            spool.end()
        if not self.left_behind:
            self._cleared.set()
        self._over.set()
        self._wake()
        self._on_end(end)

    def cleared(self) -> None:
        self.left_behind = 0
        self._cleared.set()

    def ask(self, question: OpenQuestion) -> None:
        """Something it does waits for a person's answer; whoever follows it may show the question."""
        if question.id not in {each.id for each in self.questions}:
            self.questions.append(question)
            self._wake()

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

    async def send(self, data: bytes, *, close: bool) -> None:
        """More for its standard input, all of it or nothing. Raises InputRefused, SandboxLost."""
        if self.end is not None or self.command is None:
            raise InputRefused(f"job {self.name} is over: {self.status}")
        try:
            await self.command.send(data, close=close)
        except FileRefused as exc:
            raise InputRefused(_why_no_input(self.name, exc)) from exc

    async def stop(self, signal: int, reason: str) -> Exit | None:
        """End the whole tree, by that signal and then KILL; its end, or None where even that took too long.

        What it left behind is waited for as well: `left_behind` says how many did not go.
        """
        if self.command is not None and (self.end is None or self.left_behind):
            try:
                await self.command.stop(signal, reason, STOP_GRACE_S)
            except SandboxLost:  # so it has ended, and says how
                return self.end
            with anyio.move_on_after(STOP_PATIENCE_S):
                await self._over.wait()
                await self._cleared.wait()
        return self.end

    @property
    def status(self) -> str:
        return "running" if self.end is None else self.end.status

    @property
    def over(self) -> bool:
        return self.end is not None

    @property
    def has_processes(self) -> bool:
        """Whether anything of it runs: itself, or what it left behind."""
        return self.end is None or self.left_behind > 0

    def close(self) -> None:
        self._room.leave(self)
        for spool in self.streams.values():
            spool.close()


def _why_no_input(name: str, refused: FileRefused) -> str:
    """In our words: what an agent says is passed on to nobody."""
    match refused.number:
        case errno.EAGAIN:
            return f"job {name} has not read what it was sent before; nothing of this was sent: try again later"
        case errno.EPIPE:
            return (
                f"the standard input of job {name} is closed; it stays open where a command is started with "
                "background=true and without stdin"
            )
        case _:
            return f"job {name} takes no input now"
