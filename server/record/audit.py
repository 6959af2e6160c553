"""The audit: JSON Lines, each carrying the sha256 of the line before it, one chain for every server on this file.

A call's first line is written before anything else happens to it; where it cannot be written, nothing happens. Only what
reads the state of things is answered all the same, and counted until it can be recorded again.
"""

import hashlib
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from policy.question import Question
from policy.verdict import Ask, Denied, Verdict
from server.record.chain import Head
from server.record.chain_file import NEVER, ChainFile, Fsync, Rotation
from server.record.masking import NOTHING, Masking

MAX_WORD: Final = 512  # characters of one word of a command, or of a path
MAX_TEXT: Final = 4096  # characters of one argument that a line keeps
BEGINS: Final = 256  # of a longer one

type Hear = Callable[[Mapping[str, Any]], None]


class AuditFailed(Exception):
    """A line could not be written, so what it was to record does not happen."""


class Audit:
    """One append-only chain. Several servers may share it."""

    def __init__(self, path: Path, fsync: Fsync, rotation: Rotation = NEVER, masking: Masking = NOTHING) -> None:
        self._path, self._file, self._masking = path, ChainFile(path, fsync, rotation), masking
        self._unrecorded = 0
        self._listeners: list[Hear] = []

    @property
    def head(self) -> Head:
        return self._file.head

    def listen(self, hear: Hear) -> None:
        """Have each line that is written told to `hear`, at once and in order: it returns quickly and raises nothing."""
        self._listeners.append(hear)

    def write(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Append one line. Raises AuditFailed."""
        self.append(kind, self._masking.fields(fields))

    def append(self, kind: str, masked: Mapping[str, Any]) -> None:
        """The same, of fields that hold nothing any more that is to be masked."""
        try:
            if self._unrecorded:
                self._tell(self._file.append("server.unrecorded", {"reads": self._unrecorded}))
                self._unrecorded = 0
            line = self._file.append(kind, masked)
        except OSError as exc:
            raise self._failed(exc) from exc
        self._tell(line)

    def _need_room(self) -> None:
        try:
            self._file.need_room()
        except OSError as exc:
            raise self._failed(exc) from exc

    def _failed(self, exc: OSError) -> AuditFailed:
        return AuditFailed(
            f"the audit cannot be written ({exc.strerror or exc}: {self._path}); nothing runs without it, until whoever "
            "runs this server has made room for it or mended it"
        )

    def _tell(self, line: Mapping[str, Any]) -> None:
        for hear in self._listeners:
            hear(line)

    def sync(self) -> None:
        """Put on disk what was written since; called every second with fsync = interval."""
        self._file.sync()

    @asynccontextmanager
    async def call(
        self, caller: str, tool: str, session: str, arguments: Mapping[str, Any], *, reads_state: bool = False
    ) -> AsyncGenerator["Record"]:
        """One call, from before anything happened to it until after all of it did.

        reads_state: it changes nothing and runs nothing, so it is answered also where no line can be written.
        """
        decision_id = f"d-{secrets.token_hex(8)}"
        started = time.monotonic()
        began = {"decision_id": decision_id, "caller": caller, "tool": tool, "session": session[:MAX_WORD]}
        try:
            self._need_room()
            self.write("call.started", {**began, "arguments": shorten(arguments, self._masking)})
            record = Record(self, decision_id, self._masking)
        except AuditFailed:
            if not reads_state:
                raise
            self._unrecorded += 1
            record = Unrecorded(decision_id)
        try:
            yield record
        except Denied as exc:
            record.outcome = {"outcome": "approval_required" if isinstance(exc.verdict, Ask) else "denied"}
            raise
        except Exception as exc:
            record.outcome = {"outcome": "failed", "error": type(exc).__name__, "reason": str(exc)[:MAX_TEXT]}
            raise
        except BaseException:
            record.outcome = {"outcome": "cancelled"}
            raise
        finally:
            record.end(started)

    def close(self) -> None:
        self._file.close()


class Record:
    """The trail of one call; every line of it carries the decision id."""

    def __init__(self, audit: Audit, decision_id: str, masking: Masking) -> None:
        self._audit, self.decision_id, self._masking = audit, decision_id, masking
        self.outcome: dict[str, Any] = {"outcome": "done"}

    def write(self, kind: str, fields: Mapping[str, Any]) -> None:
        self._audit.write(kind, {"decision_id": self.decision_id, **fields})

    def decided(self, question: Question, verdict: Verdict) -> None:
        """What was asked of the policy and what it said, before anything acts on it."""
        document = self._masking.fields(
            {
                "decision_id": self.decision_id,
                "effect": verdict.effect,
                "rules": [asdict(rule) for rule in verdict.rules],
                "revision": verdict.revision,
                "question": question.digest(),
                "commands": [command.argv[:32] for command in question.reading.commands[:32]],
                "paths": [f"{use.op} {use.resolved}" for use in question.paths[:64]],
            }
        )
        cut = {  # after they are masked, so that no half of a secret stays
            "commands": [[_word(word) for word in argv] for argv in document["commands"]],
            "paths": [path[:MAX_WORD] for path in document["paths"]],
        }
        self._audit.append("call.decided", {**document, **cut})

    def end(self, started: float) -> None:
        """The last line. Raises AuditFailed, which then is not about what did not happen."""
        try:
            self.write("call.ended", {**self.outcome, "duration_ms": round((time.monotonic() - started) * 1000, 1)})
        except AuditFailed as exc:
            raise AuditFailed(f"this call has begun, and its end is not recorded: {exc}") from exc

    def ended(self, **outcome: Any) -> None:
        """How it went; written with the call's last line."""
        self.outcome = outcome


class Unrecorded(Record):
    """The trail of a call that is answered although there is none."""

    def __init__(self, decision_id: str) -> None:
        self.decision_id, self.outcome = decision_id, {}

    def write(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Counted already."""

    def decided(self, question: Question, verdict: Verdict) -> None:
        """Counted already."""


def _word(word: str | None) -> str | None:
    return None if word is None else word[:MAX_WORD]


def shorten(arguments: Mapping[str, Any], masking: Masking = NOTHING) -> dict[str, Any]:
    """Arguments as a line keeps them: long texts by their beginning, length and sha256, nothing of a secret in either."""
    return {name: _shorten(value, masking) for name, value in arguments.items() if value is not None}


def _shorten(value: Any, masking: Masking) -> Any:
    if isinstance(value, str) and len(value) > MAX_TEXT:
        digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
        begins = masking.fields({"begins": value[:MAX_TEXT]})["begins"][:BEGINS]
        return {"begins": begins, "characters": len(value), "sha256": digest}
    if isinstance(value, list | tuple):
        return [_shorten(item, masking) for item in value[:256]]
    return value
