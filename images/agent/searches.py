"""Searches: each a fork of the agent that becomes uid 1000, looks, and is gone; its answer is passed on unread.

A fork and no program: so it needs nothing of the image, and starts with the very handle that was judged.
"""

import contextlib
import os
import resource
import selectors
import signal
import stat
import time
from collections.abc import Callable

import kernel
import opening
import spawn

MOST = 4  # at once
MOST_BYTES = 8 << 20  # of an answer
MEMORY = 768 << 20  # bytes of address space
GRACE_S = 5.0  # after its own patience: what it has found by then takes a moment to say on a busy machine
CHUNK = 1 << 16

type Answer = dict[str, object]
type Send = Callable[[bytes], None]
type Tell = Callable[[int, Answer], None]


class Search:
    """One that runs for `request`: what it says goes to `send`, and when it is over `tell` is called once."""

    __slots__ = ("deadline", "pid", "pipe", "request", "send", "sent", "tell")

    def __init__(self, request: int, pid: int, pipe: int, deadline: float, send: Send, tell: Tell) -> None:
        self.request, self.pid, self.pipe, self.deadline = request, pid, pipe, deadline
        self.send, self.tell, self.sent = send, tell, 0


class Searches:
    def __init__(self, selector: selectors.BaseSelector, user: kernel.AsUser, confine: kernel.Filter) -> None:
        self.selector, self.user, self.confine = selector, user, confine
        self.running: dict[int, Search] = {}  # by pid

    def start(self, handle: opening.Handle, request: Answer, ruleset: int | None, send: Send, tell: Tell) -> None:
        """Begin to look below what the handle is. Raises opening.Refused or OSError where that cannot be."""
        try:
            if len(self.running) >= MOST:
                raise opening.Refused(f"{MOST} searches run already; wait for one to end")
            root = self._root(handle, folder_only=not request["rust"])
        finally:
            handle.close()
        try:
            pid, pipe = self._fork(root, handle.real, request, ruleset)
        except BlockingIOError as exc:
            raise opening.Refused(
                "the sandbox is full of processes: end some with job_stop, then search again"
            ) from exc
        finally:
            os.close(root)
        until = time.monotonic() + float(str(request["patience_s"])) + GRACE_S
        self.running[pid] = Search(int(str(request["id"])), pid, pipe, until, send, tell)
        self.selector.register(pipe, selectors.EVENT_READ, lambda: self._hear(self.running[pid]))

    def _root(self, handle: opening.Handle, *, folder_only: bool) -> int:
        with self.user:
            if handle.file < 0:
                raise opening.missing(handle)
            if stat.S_ISDIR(os.fstat(handle.file).st_mode):
                return opening.reopen(handle, os.O_RDONLY | os.O_DIRECTORY)
            if folder_only:
                raise opening.Refused("it is not a directory; read it with file_read")
            opening.regular(handle)
            return opening.reopen(handle, os.O_RDONLY)

    def _fork(self, root: int, real: str, request: Answer, ruleset: int | None) -> tuple[int, int]:
        import look  # noqa: PLC0415 - for all searches to come: at the agent's start it would hold up the first command

        ours, theirs = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(theirs, True)
        searched = look.Look(theirs, real, int(str(request["most"])))
        try:
            pid = os.fork()
            if pid == 0:
                self._look(root, theirs, ruleset, lambda: searched.run(root, request))
        except OSError:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        return pid, ours

    def _look(self, root: int, out: int, ruleset: int | None, run: Callable[[], None]) -> None:
        """The child's whole life; it never returns into the agent's loop."""
        try:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGPIPE):
                signal.signal(number, signal.SIG_DFL)
            spawn.set_apart(self.confine, self.user.gid)
            spawn.lower(self.user.uid, ruleset)
            low, high = sorted((root, out))
            for first, end in ((3, low), (low + 1, high), (high + 1, 1 << 16)):
                os.closerange(first, end)  # the line to the server is not for it
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            run()
        finally:
            os._exit(1)

    def _hear(self, search: Search) -> None:
        try:
            data = os.read(search.pipe, CHUNK)
            search.send(data)
        except BlockingIOError:
            return
        except opening.Refused as exc:
            self._end(search, {"error": str(exc), "errno": 0})
            return
        search.sent += len(data)
        if not data or search.sent > MOST_BYTES:
            self._end(search, {})

    def _end(self, search: Search, answer: Answer) -> None:
        self.selector.unregister(search.pipe)
        os.close(search.pipe)
        del self.running[search.pid]
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(search.pid, signal.SIGKILL)  # with the ripgrep that it may have left
        search.tell(search.request, answer)

    def tend(self, now: float) -> None:
        """End those that something in the sandbox has stopped."""
        for search in [search for search in self.running.values() if search.deadline < now]:
            self._end(search, {})

    def next_moment(self) -> list[float]:
        return [search.deadline for search in self.running.values()]

    def forget(self, request: int) -> None:
        """Nobody waits for its answer any more."""
        for search in [search for search in self.running.values() if search.request == request]:
            self._end(search, {})

    def end_all(self) -> None:
        for search in list(self.running.values()):
            self._end(search, {})
