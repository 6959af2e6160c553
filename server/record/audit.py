"""The audit: JSON Lines, each carrying the sha256 of the line before it, one chain for every server on this file.

A call's first line is written before anything else happens to it; where it cannot be written, nothing happens.
"""

import errno
import fcntl
import hashlib
import json
import os
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from policy.question import Question
from policy.verdict import Allow, Ask, Denied, Deny, Verdict

GENESIS = "0" * 64
TAIL = 1 << 16  # longer than most lines: every field that comes from outside is capped
MAX_WORD = 512  # characters of one word of a command, or of a path
MAX_TEXT = 4096  # characters of one argument that a line keeps

type Fsync = Literal["always", "interval"]
type Hear = Callable[[Mapping[str, Any]], None]


class AuditFailed(Exception):
    """A line could not be written, so what it was to record does not happen."""


class BrokenChain(Exception):
    """A line of the audit is missing, changed or out of order."""


class Audit:
    """One append-only file. Several servers may share it: each append takes the lock and goes on from the last line."""

    def __init__(self, path: Path, fsync: Fsync) -> None:
        self._path, self._fsync = path, fsync
        self._file = -1
        self._head, self._size = GENESIS, 0
        self._listeners: list[Hear] = []

    def listen(self, hear: Hear) -> None:
        """Have each line that is written told to `hear`, at once and in order: it returns quickly and raises nothing."""
        self._listeners.append(hear)

    def write(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Append one line. Raises AuditFailed."""
        try:
            file = self._open()
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                self._catch_up(file)
                line = {"time": _now(), "kind": kind, **fields, "previous": self._head}
                self._append(file, line)
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)
        except OSError as exc:
            raise AuditFailed(
                f"the audit cannot be written ({exc.strerror}: {self._path}); nothing runs without it"
            ) from exc
        for hear in self._listeners:
            hear(line)

    def _open(self) -> int:
        if self._file < 0:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        return self._file

    def _catch_up(self, file: int) -> None:
        """Another server may have written since; a line that a crash cut short is closed off, never silently joined."""
        size = os.fstat(file).st_size
        if size == self._size:
            return
        tail = _end_of(file, size)
        if tail and not tail.endswith(b"\n"):
            os.write(file, b"\n")
            size += 1
        lines = tail.rstrip(b"\n").split(b"\n")
        self._head, self._size = _digest(lines[-1]) if tail else GENESIS, size

    def _append(self, file: int, document: dict[str, Any]) -> None:
        line = json.dumps(document, separators=(",", ":"), ensure_ascii=True, default=str).encode()
        written = os.write(file, line + b"\n")
        if written != len(line) + 1:
            os.ftruncate(file, self._size)  # no half of a line stays
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self._fsync == "always":
            os.fdatasync(file)
        self._head, self._size = _digest(line), self._size + len(line) + 1

    def sync(self) -> None:
        """Put on disk what was written since; called every second with fsync = interval."""
        if self._file >= 0:
            os.fdatasync(self._file)

    @asynccontextmanager
    async def call(
        self, caller: str, tool: str, session: str, arguments: Mapping[str, Any]
    ) -> AsyncGenerator["Record"]:
        """One call, from before anything happened to it until after all of it did."""
        record = Record(self, f"d-{secrets.token_hex(8)}")
        started = time.monotonic()
        record.write(
            "call.started",
            {"caller": caller, "tool": tool, "session": session[:MAX_WORD], "arguments": shorten(arguments)},
        )
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
            record.write("call.ended", {**record.outcome, "duration_ms": round((time.monotonic() - started) * 1000, 1)})

    def close(self) -> None:
        if self._file >= 0:
            os.fdatasync(self._file)
            os.close(self._file)
            self._file = -1


class Record:
    """The trail of one call; every line of it carries the decision id."""

    def __init__(self, audit: Audit, decision_id: str) -> None:
        self._audit, self.decision_id = audit, decision_id
        self.outcome: dict[str, Any] = {"outcome": "done"}

    def write(self, kind: str, fields: Mapping[str, Any]) -> None:
        self._audit.write(kind, {"decision_id": self.decision_id, **fields})

    def decided(self, question: Question, verdict: Verdict) -> None:
        """What was asked of the policy and what it said, before anything acts on it."""
        effects = {Allow: "allow", Ask: "ask", Deny: "deny"}
        self.write(
            "call.decided",
            {
                "effect": effects[type(verdict)],
                "rules": [asdict(rule) for rule in verdict.rules],
                "revision": verdict.revision,
                "question": question.digest(),
                "commands": [[_word(word) for word in c.argv[:32]] for c in question.reading.commands[:32]],
                "paths": [f"{use.op} {use.resolved}"[:MAX_WORD] for use in question.paths[:64]],
            },
        )

    def ended(self, **outcome: Any) -> None:
        """How it went; written with the call's last line."""
        self.outcome = outcome


def _end_of(file: int, size: int) -> bytes:
    """At least the whole last line, however long somebody made it."""
    reach = TAIL
    while True:
        tail = os.pread(file, reach, max(0, size - reach))
        if reach >= size or b"\n" in tail.rstrip(b"\n"):
            return tail
        reach *= 4


def _word(word: str | None) -> str | None:
    return None if word is None else word[:MAX_WORD]


def shorten(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as a line keeps them: long texts by their beginning, length and sha256."""
    return {name: _shorten(value) for name, value in arguments.items() if value is not None}


def _shorten(value: Any) -> Any:
    if isinstance(value, str) and len(value) > MAX_TEXT:
        digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
        return {"begins": value[:256], "characters": len(value), "sha256": digest}
    if isinstance(value, list | tuple):
        return [_shorten(item) for item in value[:256]]
    return value


def _now() -> str:
    now = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1e6) % 1_000_000:06d}Z"


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every line with its number, read without being checked."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, json.loads(line)


def verify(path: Path) -> tuple[int, str]:
    """Walk the chain: lines counted, digest of the last. Raises BrokenChain at the first line that does not fit."""
    head, count = GENESIS, 0
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            line = raw.rstrip(b"\n")
            try:
                previous = json.loads(line)["previous"]
            except (ValueError, KeyError, TypeError) as exc:
                raise BrokenChain(f"line {number} is not a line of the audit") from exc
            if previous != head:
                raise BrokenChain(
                    f"line {number} does not continue line {number - 1}: something between was changed or cut"
                )
            head, count = _digest(line), count + 1
    return count, head
