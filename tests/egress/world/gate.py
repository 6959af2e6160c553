"""A real gate process, and the server's end of its control socket."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
WAIT_S = 60.0


class Gate:
    """Starts on construction; `ready` waits for it. `program` replaces `-m egress` where a test spies on it."""

    def __init__(
        self, folder: Path, program: Sequence[str] = ("-m", "egress"), environment: Mapping[str, str] | None = None
    ) -> None:
        self.ca = folder / "ca" / "ca.pem"
        ours, theirs = socket.socketpair()
        with theirs:
            argv = [
                sys.executable,
                "-P",
                *program,
                "--control-fd",
                str(theirs.fileno()),
                "--ca-dir",
                str(folder / "ca"),
            ]
            self.process = subprocess.Popen(
                argv,
                pass_fds=[theirs.fileno()],
                cwd="/",
                env={"PYTHONPATH": str(ROOT), **(environment or {})},
                stderr=subprocess.PIPE,
            )
        self._sock = ours
        self._heard: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self._numbers = 0
        self._lines: list[bytes] = []
        self._log = threading.Thread(target=self._read_log, daemon=True)
        self._log.start()
        threading.Thread(target=self._listen, daemon=True).start()

    def _read_log(self) -> None:
        if self.process.stderr:
            self._lines.extend(self.process.stderr)

    @property
    def log(self) -> str:
        """What it wrote to standard error in its life, which is over."""
        self._log.join(WAIT_S)
        return b"".join(self._lines).decode(errors="replace")

    def _listen(self) -> None:
        with self._sock.makefile("rb") as file, contextlib.suppress(ConnectionError):  # it was killed with unread words
            for line in file:
                if not line.endswith(b"\n"):  # in the middle of one
                    return
                with self._changed:
                    self._heard.append(json.loads(line))
                    self._changed.notify_all()

    def heard(self, fits: Callable[[dict[str, Any]], bool], seconds: float = WAIT_S) -> dict[str, Any]:
        """The first message that fits, waiting for it."""
        with self._changed:
            found = self._changed.wait_for(lambda: [message for message in self._heard if fits(message)], seconds)
        assert found, f"never heard; but {self._heard[-5:]}"
        return found[0]

    def events(self, kind: str, session: str) -> list[dict[str, Any]]:
        with self._changed:
            return [
                message for message in self._heard if message.get("event") == kind and message["session"] == session
            ]

    def event(self, kind: str, session: str, **fields: Any) -> dict[str, Any]:
        wanted = {"event": kind, "session": session, **fields}
        return self.heard(lambda message: all(message.get(key) == value for key, value in wanted.items()))

    def tell(self, **message: Any) -> None:
        self._sock.sendall(json.dumps(message).encode() + b"\n")

    def ask(self, **message: Any) -> dict[str, Any]:
        self._numbers += 1
        number = self._numbers
        self.tell(id=number, **message)
        return self.heard(lambda heard: heard.get("re") == number)

    def ready(self, **configure: Any) -> "Gate":
        self.heard(lambda message: message.get("event") == "ready")
        assert self.ask(op="configure", **configure)["ok"]
        return self

    def memory_mb(self) -> float:
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.partition("VmRSS:")[2].split()[0]) / 1024

    def hang_up(self) -> None:
        self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.hang_up()
        self._sock.close()
        self.process.wait(WAIT_S)
        self._log.join(WAIT_S)
        if self.process.stderr:
            self.process.stderr.close()


def alive(pid: int) -> bool:
    """Whoever started it may reap it between our opening the file and our reading it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
