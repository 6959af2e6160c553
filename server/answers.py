"""What people answered, as lines of the audit within a second: at the command line, on the page, in a client alike.

The command line writes no line of its own, for only a server has the secrets at hand that none may hold.
"""

import logging
from collections.abc import Mapping
from typing import Any, Final

import anyio
import anyio.to_thread

from server.judge.approvals import SCOPES, Approvals
from server.looks import Looks, looks
from server.note import Note
from server.record.approval_rows import ApprovalRows
from server.record.audit import AuditFailed
from server.settings.settings import Settings

EVERY_S: Final = 1.0
_NO: Final = {"denied": "deny", "revoked": "revoke"}

log = logging.getLogger("sandgate")


class Answers:
    """`write` adds a line to the audit."""

    def __init__(self, rows: ApprovalRows, write: Note) -> None:
        self._rows, self._write, self._failed = rows, write, False

    async def keep(self, every_s: float = EVERY_S) -> None:
        """Until cancelled. The database is asked, and not on the event loop, only where somebody wrote to it."""
        before: Looks = {}
        while True:
            now = looks(self._rows.files)
            if (now != before or self._failed) and await anyio.to_thread.run_sync(self._has_some):
                self.tell()
            before = now
            await anyio.sleep(every_s)

    def _has_some(self) -> bool:
        try:
            return self._rows.has_answers()
        except OSError:
            return True  # to tell of them is to say so

    def tell(self) -> None:
        """What no server has told of yet. Where it cannot be written it stays, and that is said once."""
        try:
            self._rows.tell_answers(lambda row: self._write("approval.answered", _line(row)))
            self._failed = False
        except (OSError, AuditFailed) as exc:
            if not self._failed:
                log.warning("what a person answered is not in the audit yet: %s", exc)
            self._failed = True


def asking(settings: Settings, write: Note) -> tuple[Approvals, Answers]:
    """Where questions are put and answered, and what tells of the answers."""
    rows = ApprovalRows(settings.database)
    return Approvals(rows, settings.approvals.pending_s), Answers(rows, write)


def _line(row: Mapping[str, Any]) -> dict[str, Any]:
    """answer: once, time or session for a yes; deny; revoke for one that takes a yes back."""
    answer = SCOPES[row["again"]] if row["state"] == "allowed" else _NO[row["state"]]
    told = {name: row[name] for name in ("approval", "caller", "session", "tool")}
    lasts = {"for_s": round(row["ends"] - row["answered"])} if answer in ("time", "session") else {}
    return {**told, "answer": answer, "by": row["answered_by"], **lasts}
