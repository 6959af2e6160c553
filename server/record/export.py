"""Lines of the audit on their way to somewhere else: one exporter for each place, of all servers on a file one at a time.

It follows the file, so no call waits for it, and what a dead server had not sent the next one sends.
"""

import fcntl
import logging
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.to_thread

from server.looks import Looks, looks
from server.note import Note
from server.record.audit import AuditFailed
from server.record.sink import NotNow, Sink
from server.record.trail import Line, Place, Trail

BATCH: Final = 500  # lines
LOOK_EVERY_S: Final = 0.25
ANYWAY_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0
FLUSH_S: Final = 2.0  # what a server that ends gives its last lines
DROPPED: Final = "server.export_dropped"
NUMBERS: Final = 3  # in a cursor: the last line sent, and where the next begins

log = logging.getLogger("sandgate")


@dataclass
class Export:
    """Begins where `trail` is, if it has never sent anything. `note`: a line of the audit."""

    name: str
    sink: Sink
    trail: Trail
    backlog_bytes: int
    note: Note
    _lock: int = field(default=-1, init=False)
    _held: list[Line] = field(default_factory=list[Line], init=False)  # read, and not taken yet
    _to_say: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]], init=False)
    _failure: str = field(default="", init=False)
    _turn: threading.Lock = field(default_factory=threading.Lock, init=False)
    _is_over: bool = field(default=False, init=False)

    async def keep(self) -> None:
        """Until cancelled."""
        pause = LOOK_EVERY_S
        while True:
            before, had = looks((self.trail.path,)), True
            try:
                had = await anyio.to_thread.run_sync(self._step, abandon_on_cancel=True)
                pause = 0.0
                self._fares("")
            except (NotNow, OSError) as exc:
                pause = min(max(pause, LOOK_EVERY_S) * 2, LONGEST_PAUSE_S)
                self._fares(str(exc))
            self._say()
            await (anyio.sleep(pause) if had else self._news(before))

    async def _news(self, before: Looks) -> None:
        """Until the file looks different, which costs no thread; that another server ended, whose turn it was, is no line."""
        for _ in range(round(ANYWAY_S / LOOK_EVERY_S)):
            await anyio.sleep(LOOK_EVERY_S)
            if looks((self.trail.path,)) != before:
                return

    async def catch_up(self, sequence: int) -> None:
        """While `keep` runs: until that line is sent, for a moment at most. Where it is not, the next server sends it."""
        with anyio.move_on_after(FLUSH_S, shield=True):
            while self._lock >= 0 and not self._failure and (self._held or self.trail.sequence < sequence):  # noqa: ASYNC110 - a thread sends
                await anyio.sleep(LOOK_EVERY_S / 5)

    def _step(self) -> bool:
        """Whether there was anything to send. Raises NotNow and OSError."""
        with self._turn:
            return not self._is_over and self._send()

    def _send(self) -> bool:
        if not self._is_ours():
            return False
        if not self._held:
            self._held, gaps = self.trail.next(BATCH, self.backlog_bytes)
            self._to_say += [self._dropped(gap.lines, gap.first, gap.last, gap.reason) for gap in gaps]
        if not self._held:
            return False
        lost = self.sink.send(self._held)
        sent, self._held = self._held, []
        self._mark()
        if lost.lines and any(line.document["kind"] != DROPPED for line in sent):  # else each loss would cause the next
            self._to_say.append(self._dropped(lost.lines, sent[0].sequence, sent[-1].sequence, lost.reason))
        return True

    # --- how far it is -----------------------------------------------------------------------------------------------

    @property
    def _cursor(self) -> Path:
        return self.trail.path.with_name(f"export-{self.name}.sent")

    def _is_ours(self) -> bool:
        """One server sends; when it ends another goes on from what that had sent."""
        if self._lock < 0:
            self._cursor.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self._cursor, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                return False
            self._lock = handle
            told = os.pread(handle, 64, 0).split()
            if len(told) == NUMBERS and all(number.isdigit() for number in told):
                self.trail.close()
                self.trail.sequence, self.trail.place = int(told[0]), Place(int(told[1]), int(told[2]))
            else:
                self._mark()
        return True

    def _mark(self) -> None:
        place = self.trail.place
        os.pwrite(self._lock, f"{self.trail.sequence:<20}{place.file:<22}{place.offset:<20}\n".encode(), 0)

    def close(self) -> None:
        """A step that was left alone when `keep` was cancelled comes to its end first, and none opens anything after it."""
        with self._turn:
            self._is_over = True
            self.sink.close()
            self.trail.close()
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1

    # --- what is said ------------------------------------------------------------------------------------------------

    def _fares(self, failure: str) -> None:
        if failure and not self._failure:
            log.warning("the audit is not sent to %s just now: %s", self.name, failure)
        elif self._failure and not failure:
            log.warning("the audit is sent to %s again", self.name)
        self._failure = failure

    def _dropped(self, lines: int, first: int, last: int, reason: str) -> Mapping[str, Any]:
        return {"to": self.name, "lines": lines, "first": first, "last": last, "reason": reason}

    def _say(self) -> None:
        """Once it can be recorded."""
        with suppress(AuditFailed):
            while self._to_say:
                self.note(DROPPED, self._to_say[0])
                del self._to_say[0]
