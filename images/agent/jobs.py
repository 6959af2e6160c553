"""One running command: its pipes, its deadline, its end and why it ended."""

import contextlib
import errno
import fcntl
import os
import selectors
import signal
import time
from collections.abc import Callable

import tree
from counters import Counters, disk_room
from spawn import EXEC_LONGEST_S, EXEC_PATIENCE_S, LOOK_AGAIN_S, Keeper, News, Plan, Start
from wire import Wire

READ = 1 << 18
PIPE_BYTES = 1 << 20
DRAIN_S = 0.2  # after the leader's end: what its children still hold open is not waited for longer
KILL_GRACE_S = 2.0
MOST_STDIN_WAITING = 1 << 20  # that a program has not read yet; what is sent at once may be more than that


class Job:
    """The agent's view of one command. `deadline` is monotonic seconds; None for as long as the session lives."""

    def __init__(
        self,
        number: int,
        keeper: Keeper,
        wire: Wire,
        selector: selectors.BaseSelector,
        counters: Counters,
        timeout_s: float | None,
    ) -> None:
        self.number, self.keeper, self.wire, self.selector = number, keeper, wire, selector
        self.mark = ""  # the server's word for it, which goes with what it sends out
        self.start: Start | None = None
        self.started = time.monotonic()
        self.deadline = None if timeout_s is None else self.started + timeout_s
        self.look_at = self.started + EXEC_PATIENCE_S  # whether its leader has begun
        self.counters = counters
        self.oom_before, self.pids_before = counters.out_of_memory(), counters.out_of_processes()
        self.room_before = disk_room()[0]
        self.stdin = -1
        self.stdin_queue = bytearray()
        self.stdin_closing = False
        self.stdin_broken = False
        self.outputs: dict[int, int] = {}  # descriptor -> stream number
        self.running = False
        self.reason = "exited"
        self.kill_at: float | None = None
        self.drain_until: float | None = None
        self.end: News | None = None
        self.reported = False
        self.left = 0  # processes that ran on at its end
        self.failure: int | None = None  # the errno with which no process could be made for it
        self.clear = False  # nothing of it runs any more
        self.abandoned = False  # its keeper died, and may have left something behind

    @property
    def root(self) -> int:
        """The process that all of its own are below."""
        return self.keeper.pid

    # --- bytes -------------------------------------------------------------------------------------------------------

    def read_output(self, handle: int) -> None:
        try:
            data = os.read(handle, READ)
        except BlockingIOError:
            return
        if data:
            self.wire.job_bytes(self.number, self.outputs[handle], data)
        else:
            self._close_output(handle)

    def _drain(self, handle: int) -> None:
        """All that the leader left in the pipe, also where back-pressure kept it unread; not what others add for ever."""
        for _ in range(2 * PIPE_BYTES // READ):
            if handle not in self.outputs:
                return
            before = self.wire.queued
            self.read_output(handle)
            if self.wire.queued == before:
                return

    def _close_output(self, handle: int) -> None:
        with contextlib.suppress(KeyError):  # back-pressure may have taken it out already
            self.selector.unregister(handle)
        del self.outputs[handle]
        os.close(handle)

    def take(self, data: bytes, *, close: bool) -> None:
        """More standard input, all or nothing. EPIPE where it is closed, EAGAIN where the program does not read it."""
        if self.stdin < 0 or self.stdin_closing:
            raise OSError(errno.EPIPE, os.strerror(errno.EPIPE))
        if self.stdin_queue and len(self.stdin_queue) + len(data) > MOST_STDIN_WAITING:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        self.stdin_queue += data
        self.stdin_closing = close
        self.write_stdin()
        if self.stdin_broken:
            raise OSError(errno.EPIPE, os.strerror(errno.EPIPE))

    def write_stdin(self) -> None:
        """Write what the pipe takes; wait for the rest; close at the end."""
        if self.stdin < 0:
            return
        try:
            while self.stdin_queue:
                del self.stdin_queue[: os.write(self.stdin, self.stdin_queue[:READ])]
        except BlockingIOError:
            self._watch_stdin()
            return
        except OSError:
            self.stdin_queue.clear()
            self.stdin_closing = self.stdin_broken = True  # nobody reads it any more
        if self.stdin_closing:
            self._close_stdin()
        else:
            self._unwatch_stdin()

    def _watch_stdin(self) -> None:
        if self.stdin not in self.selector.get_map():
            self.selector.register(self.stdin, selectors.EVENT_WRITE, self.write_stdin)

    def _unwatch_stdin(self) -> None:
        if self.stdin in self.selector.get_map():
            self.selector.unregister(self.stdin)

    def _close_stdin(self) -> None:
        self._unwatch_stdin()
        os.close(self.stdin)
        self.stdin = -1

    # --- what the keeper says ----------------------------------------------------------------------------------------

    def hear_keeper(self, message: bytes) -> None:
        if not message:
            self._keeper_left()
            return
        news = News(message)
        if news.kind == News.CLEAR:
            self.clear = True
        elif news.kind == News.FULL:
            if self.end is None:  # else it is the next command's leader that there is no room for
                self.failure = news.status
        elif not self._start.is_of(news.leader):
            if self.reason != "exited":  # what was to be stopped begins only now
                self._end_all()
        else:
            self._leader_ended(news)

    @property
    def _start(self) -> Start:
        assert self.start is not None  # noqa: S101 - launch() has set it
        return self.start

    def _leader_ended(self, news: News) -> None:
        self.running, self.end, self.clear = True, news, not news.more
        self.drain_until = time.monotonic() + DRAIN_S
        if self._start.leader is None and self.reason == "exited":
            self.failure = errno.ENOMEM  # it was lost with its plan: what it ended with is no command's
        elif self._start.failed is not None:
            self._say_why_it_did_not_start(*self._start.failed)
        for handle in list(self.outputs):
            self._drain(handle)

    def _say_why_it_did_not_start(self, step: str, number: int) -> None:
        """What failed before its exec ends with 127, as a shell's child does."""
        missing = step == "exec" and number in (errno.ENOENT, errno.ENOTDIR)
        text = "command not found" if missing else f"{step}: {os.strerror(number)}"
        self.wire.job_bytes(self.number, 2, f"sandgate: cannot start: {text}\n".encode())

    def _keeper_left(self) -> None:
        """It died itself: it has the agent's own uid, so only the OOM killer does that."""
        self.clear = self.abandoned = True
        if self.end is None:
            self.end = News.killed(time.monotonic())
            self.drain_until = time.monotonic()

    # --- ending ------------------------------------------------------------------------------------------------------

    def stop(self, number: int, reason: str, grace_s: float = KILL_GRACE_S) -> None:
        """Signal the whole tree; KILL follows after the grace. The first reason given stays."""
        if self.end is None and self.reason == "exited":
            self.reason = reason
        if number == signal.SIGKILL:
            self._end_all()
            self.kill_at = time.monotonic() + KILL_GRACE_S  # and again, should anything have slipped through
        else:
            tree.signal_all(self.keeper.pid, number)
            self.kill_at = time.monotonic() + grace_s

    def _end_all(self) -> None:
        tree.end_all(self.keeper.pid, self._is_clear)
        tree.hunt(self.keeper.pid, self._is_clear)

    def _is_clear(self) -> bool:
        """Asks the keeper: it says so before it makes the next command's leader, which is not to be ended."""
        while self.keeper.hear():
            pass
        return self.clear

    def tend(self, now: float) -> None:
        """What time brings: deadlines, graces, the end of the drain."""
        if not self.running and now >= self.look_at:
            self._look_whether_it_began(now)
        if self.deadline is not None and now >= self.deadline and not self.clear:
            self.deadline = None
            self.stop(signal.SIGTERM, "timed_out")
        if self.kill_at is not None and now >= self.kill_at and not self.clear:
            self._end_all()
            self.kill_at = now + KILL_GRACE_S
        if self.end is not None and not self.reported:
            assert self.drain_until is not None  # noqa: S101 - set together with end
            if not self.outputs or now >= self.drain_until:
                self._report()

    def _look_whether_it_began(self, now: float) -> None:
        """One that uid 1000 stopped is given up; one that has no processor yet, or memory, is waited for longer."""
        self._start.look()
        stopped = self._start.leader is not None and tree.is_stopped(self._start.leader)
        self.look_at = now + LOOK_AGAIN_S
        self.running = self._start.over or stopped or now - self.started > EXEC_LONGEST_S
        if not self._start.over and self.running:
            self.stop(signal.SIGKILL, "stalled" if stopped else "no_time")

    def _report(self) -> None:
        for handle in list(self.outputs):
            self._drain(handle)
        for handle in list(self.outputs):
            self._close_output(handle)
        if self.stdin >= 0:
            self._close_stdin()
        assert self.end is not None  # noqa: S101 - tend() looked
        self.reported = True
        self._start.close()
        if self.failure is not None:
            self.wire.say({"ev": "ended", "job": self.number, "reason": "not_started", "errno": self.failure})
            return
        status = self.end.status
        self.left = 0 if self._is_clear() else tree.count(self.keeper.pid, self._is_clear)
        self.wire.say(
            {
                "ev": "ended",
                "job": self.number,
                "reason": self.reason,
                "exit_code": os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else None,
                "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
                "oom": self.counters.out_of_memory() > self.oom_before,
                "no_pids": self.counters.out_of_processes() > self.pids_before,
                "disk_room": [self.room_before, disk_room()[0]],
                "left": self.left,
                "duration_ms": (self.end.at - self.started) * 1000,
                **self.end.used,
            }
        )

    def next_moment(self) -> float | None:
        moments = [moment for moment in (self.deadline, self.kill_at) if moment is not None and not self.clear]
        if self.end is not None and not self.reported and self.drain_until is not None:
            moments.append(self.drain_until)
        if not self.running and self.end is None:
            moments.append(self.look_at)
        return min(moments, default=None)

    @property
    def over(self) -> bool:
        return self.reported and self.clear


def launch(
    number: int,
    keeper: Keeper,
    plan: Plan,
    ruleset: int | None,
    wire: Wire,
    selector: selectors.BaseSelector,
    counters: Counters,
    timeout_s: float | None,
    *,
    stdin: bytes,
    stdin_stays: bool,
) -> Job:
    """Give the keeper its plan and watch its pipes. `stdin` is fed first; with `stdin_stays` more may follow."""
    stdin_read, stdin_write, out_read, out_write, err_read, err_write = _three_pipes()
    for handle in (stdin_write, out_read, err_read):
        os.set_blocking(handle, False)
    with contextlib.suppress(OSError):  # a host may bound pipe memory per user; the default then does
        fcntl.fcntl(out_read, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    job = Job(number, keeper, wire, selector, counters, timeout_s)
    job.stdin = stdin_write
    job.outputs = {out_read: 1, err_read: 2}
    try:
        job.start = keeper.start(plan, (stdin_read, out_write, err_write), ruleset)
    except OSError:
        for handle in (stdin_write, out_read, err_read):
            os.close(handle)
        raise
    finally:
        for handle in (stdin_read, out_write, err_write):
            os.close(handle)
    keeper.hears = job.hear_keeper
    watch_outputs(job)
    with contextlib.suppress(OSError):  # a keeper that died at once: its end is told as any other
        job.take(stdin, close=not stdin_stays)
    return job


def _three_pipes() -> list[int]:
    """All of them or none: what a failure left open would be missing for ever."""
    handles = list[int]()
    try:
        for _ in range(3):
            handles += os.pipe2(os.O_CLOEXEC)
    except OSError:
        for handle in handles:
            os.close(handle)
        raise
    return handles


def watch_outputs(job: Job) -> None:
    for handle in job.outputs:
        if handle not in job.selector.get_map():
            job.selector.register(handle, selectors.EVENT_READ, _reader(job, handle))


def _reader(job: Job, handle: int) -> Callable[[], None]:
    return lambda: job.read_output(handle)


def unwatch_outputs(job: Job) -> None:
    for handle in job.outputs:
        with contextlib.suppress(KeyError):
            job.selector.unregister(handle)
