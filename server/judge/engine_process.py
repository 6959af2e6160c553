"""An engine in a process of its own, for rules that an operator wrote: they may loop, eat memory or crash it."""

import json
import os
import selectors
import signal
import subprocess  # noqa: TID251  # the engine cannot be interrupted in a thread: it holds the GIL and has no timer
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from server.judge import engine
from server.judge.engine import EngineTrouble

START_S = 10.0  # Python, the engine's library and the bundle: 0.15 s on 2 cores
QUEUE_S = 5.0  # for the questions in front
GRACE_S = 1.0  # the child ends itself at the deadline; this long after it, it is killed
ANSWER_BYTES = 1 << 20
MOST_DEATHS = 3  # in a row; then the rules are to blame, and everything is denied until they are loaded anew


class EngineProcess:
    """Asks a child that is started when it is needed, and anew after it died. One question at a time."""

    def __init__(self, modules: Mapping[str, str], documents: Sequence[Mapping[str, Any]], deadline_s: float) -> None:
        """Starts the child, so that rules it cannot load are known at once. Raises EngineTrouble."""
        self._load = {"modules": modules, "documents": documents, "deadline_s": deadline_s}
        self._deadline_s = deadline_s
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._deaths = 0
        self._closed = False
        with self._lock:
            self._start()

    def evaluate(self, question: str, rule: str) -> Any:
        """As Engine.evaluate; blocks for QUEUE_S and the deadline at most. Raises EngineTrouble."""
        if not self._lock.acquire(timeout=QUEUE_S):
            raise EngineTrouble("it is busy with the operator's rules")
        try:
            return self._evaluate(question, rule)
        finally:
            self._lock.release()
            if self._closed:
                self.close()

    def close(self) -> None:
        """End the child; never waits: where a question is under way, its thread ends the child after the answer."""
        self._closed = True
        if self._lock.acquire(blocking=False):
            try:
                self._end()
            finally:
                self._lock.release()

    def _evaluate(self, question: str, rule: str) -> Any:
        if self._closed:
            raise EngineTrouble("it is closed")
        if self._deaths >= MOST_DEATHS:
            raise EngineTrouble("the operator's rules have stopped the policy engine too often")
        if self._child is None:
            self._start()
        answer = self._exchange({"question": question, "rule": rule}, self._deadline_s + GRACE_S)
        self._deaths = 0
        return answer

    def _start(self) -> None:
        self._child = subprocess.Popen(  # noqa: S603  # our own interpreter and our own file, nothing from a caller
            [sys.executable, "-I", str(Path(engine.__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
        )
        try:
            self._exchange(self._load, START_S)
        except EngineTrouble:
            self._end()
            raise

    def _exchange(self, request: Mapping[str, Any], timeout_s: float) -> Any:
        child = self._child
        if child is None or child.stdin is None or child.stdout is None:
            raise EngineTrouble("the policy engine's process is not running")
        try:
            child.stdin.write(json.dumps(request).encode() + b"\n")
            child.stdin.flush()
            reply = json.loads(_line(child.stdout.fileno(), timeout_s))
        except (OSError, ValueError) as error:
            self._deaths += 1
            raise EngineTrouble(self._obituary(is_late=isinstance(error, TimeoutError))) from None
        if "trouble" in reply:
            raise EngineTrouble(reply["trouble"])
        return reply["result"]

    def _obituary(self, *, is_late: bool) -> str:
        """is_late: it had no turn in which it could end itself, as on a busy machine."""
        status = self._end()
        if is_late or status == -signal.SIGALRM:
            return f"the operator's rules took longer than {self._deadline_s:g} s"
        return "the operator's rules stopped the policy engine"

    def _end(self) -> int | None:
        """End the child and say what it died of, if it had died already or dies by itself in a moment."""
        child, self._child = self._child, None
        if child is None:
            return None
        for pipe in (child.stdin, child.stdout):
            with suppress(OSError):
                _ = pipe and pipe.close()
        with suppress(subprocess.TimeoutExpired):
            child.wait(0.2)
        child.kill()
        return child.wait()


def _line(descriptor: int, timeout_s: float) -> bytes:
    """One line from a child. Raises OSError where it ends, is late or says too much."""
    until, line = time.monotonic() + timeout_s, b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while not line.endswith(b"\n"):
            ready = selector.select(max(0.0, until - time.monotonic()))
            if not ready:
                raise TimeoutError("no answer in time")
            part = os.read(descriptor, 1 << 16)
            if not part or len(line) > ANSWER_BYTES:
                raise OSError("no answer")
            line += part
    return line
