"""One session: a caller's sandbox under a name, what it was given, and the jobs that ran in it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Literal

import anyio

from policy.question import RunCommand
from policy.verdict import Permit
from server.sandbox.ends import SERVER_LOST, SIGKILL
from server.sandbox.jobs import MOST_OUTPUT_BYTES, Job, NoSuchJob, TooManyJobs
from server.sandbox.ledger import KeptJob, Ledger
from server.sandbox.output_room import OutputRoom
from server.sandbox.sandbox import Exit, Sandbox, SandboxLost, SandboxSpec

MAX_JOBS_KEPT = 64  # of one session; the oldest of which nothing runs any more gives way
MOST_JOBS_AT_ONCE = (
    128  # beginning and end of each one's output, which never give way, are 1.5 MB: within what it may keep
)

# live: its sandbox answers. frozen: it is paused. parking: its files are being kept. parked: they are kept, and it has no
# sandbox. waiting: a former server's sandbox, which may still wait to be adopted.
type State = Literal["live", "frozen", "parking", "parked", "waiting"]


@dataclass
class Session:
    """One caller's sandbox. `owner` is the caller's id; another caller never learns that it exists."""

    id: str  # of what is written down about it
    name: str
    owner: str
    box: Sandbox | None
    spec: SandboxSpec
    folder: Path
    opened: float
    used: float
    announce: Callable[["Session"], None]  # tells the gate whose flows come next
    ledger: Ledger
    hosts: tuple[str, ...] = ()  # what it narrowed its network to; empty: whatever the operator allows
    roles: tuple[str, ...] = ()  # its caller's, as of the last call
    ends: float | None = None  # when it is closed, whatever runs in it
    state: State = "live"
    waiting_for: tuple[str, str] = ("", "")  # the sandbox that may wait, and the key that its agent shows
    jobs: dict[str, Job] = field(default_factory=dict)
    room: OutputRoom = field(default_factory=lambda: OutputRoom(MOST_OUTPUT_BYTES))
    made: int = 0
    holds: int = 0  # calls at work in it
    introduced: bool = False
    remarks: list[str] = field(default_factory=list)  # what its caller should be told, once
    clock: Callable[[], float] = time.time
    _working: list[Job] = field(default_factory=list)  # those of its jobs of which anything ran at the last look

    @property
    def sandbox(self) -> Sandbox:
        """Raises SandboxLost where it has none; whoever holds the session has one."""
        if self.box is None:
            raise SandboxLost("the session has no sandbox now")
        return self.box

    @property
    def ready(self) -> bool:
        """Whether a command could start in it at once."""
        return self.state == "live" and self.box is not None and self.box.alive and not self.over

    @property
    def over(self) -> bool:
        """Whether its time has come."""
        return self.ends is not None and self.clock() >= self.ends

    @property
    def quiet(self) -> bool:
        """Nothing runs in it and nobody is about to do something there."""
        return not self.holds and not self._at_work()

    def introduce(self) -> bool:
        """True once: whoever asks first tells the caller that it is new."""
        before, self.introduced = self.introduced, True
        return not before

    def take_remarks(self) -> tuple[str, ...]:
        """What there is to tell of it besides; whoever takes it tells it."""
        told, self.remarks = tuple(self.remarks), []
        return told

    # --- jobs --------------------------------------------------------------------------------------------------------

    async def start(self, permit: Permit, shown: str, decision_id: str, on_end: Callable[[Exit], None]) -> Job:
        """Run what was permitted as a new job. Raises TooManyJobs, SandboxLost."""
        running = len(self._at_work())
        if running >= MOST_JOBS_AT_ONCE:
            raise TooManyJobs(f"{running} commands run in session {self.name}; job_stop ends one that is not needed")
        giving_way = self._take_oldest()
        self.made += 1
        name = f"j{self.made}"
        job = Job(name, shown, self.folder, decision_id, lambda end: self._ended(job, end, on_end), self.room)
        job.keep_at_most(permit.allow.limits.output_bytes)
        job.background = isinstance(permit.question.act, RunCommand) and permit.question.act.background
        self.jobs[name] = job
        self._working.append(job)
        self.ledger.job_started(self.id, KeptJob(name, shown, decision_id, None), [each.name for each in giving_way])
        self.announce(self)
        try:
            job.command = await self.sandbox.run(permit, job, decision_id)
        except BaseException:
            del self.jobs[name]
            self._working = [each for each in self._working if each is not job]
            self.ledger.job_forgotten(self.id, name)
            job.close()
            raise
        finally:
            for each in giving_way:  # while it runs: nobody waits for that
                each.close()
        return job

    def _at_work(self) -> list[Job]:
        """Those of which anything runs; one that is over stays so."""
        self._working = [job for job in self._working if job.has_processes]
        return self._working

    def _ended(self, job: Job, end: Exit, on_end: Callable[[Exit], None]) -> None:
        self.used = self.clock()
        self.ledger.job_ended(self.id, job.name, end, background=job.background)
        on_end(end)

    def _take_oldest(self) -> list[Job]:
        """Out of those that are kept: the oldest that are over, as many as one more is too many."""
        over = (job for job in self.jobs.values() if not job.has_processes)
        taken = list(islice(over, max(0, len(self.jobs) + 1 - MAX_JOBS_KEPT)))
        for job in taken:
            del self.jobs[job.name]
        return taken

    async def stop_jobs(self, reason: str) -> None:
        """All that runs, at once."""
        async with anyio.create_task_group() as tasks:
            for job in self._at_work():
                tasks.start_soon(job.stop, SIGKILL, reason)

    def restore_jobs(self) -> None:
        """Those that another server ran: one that it did not see the end of was ended with it."""
        for kept in self.ledger.jobs(self.id):
            end = kept.end or SERVER_LOST
            if kept.end is None:
                self.ledger.job_ended(self.id, kept.name, end, background=kept.background)
            job = Job.restored(kept.name, kept.shown, self.folder, kept.decision_id, end, self.room)
            job.background = kept.background
            self.jobs[kept.name] = job
            self.made = max(self.made, int(kept.name.removeprefix("j")))

    def job(self, name: str | None) -> Job:
        """That job, or the newest. Raises NoSuchJob."""
        if name is None and self.jobs:
            return next(reversed(self.jobs.values()))
        if name is None or name not in self.jobs:
            known = ", ".join(self.jobs) or "none yet"
            raise NoSuchJob(f"session {self.name} has no job {name or ''}; its jobs: {known}")
        return self.jobs[name]

    def live_decisions(self) -> tuple[str, ...]:
        """The decisions whose commands run now: what a flow that leaves is attributed to."""
        return tuple(dict.fromkeys(job.decision_id for job in self._at_work()))
