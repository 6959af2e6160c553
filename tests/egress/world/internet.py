"""The test's hold on the fake internet: starts it, runs programs with their network in it, and reads what it saw."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.egress.world.gate import ROOT
from tests.egress.world.zone import NAME_SERVER

WHY_NOT = "network namespaces need root, and `ip`, `nsenter` and `unshare` (Debian: iproute2, util-linux)"
_INTO = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'


def possible() -> bool:
    return os.geteuid() == 0 and all(shutil.which(program) for program in ("ip", "nsenter", "unshare"))


@dataclass(frozen=True, slots=True)
class Log:
    """Everything that left the gate's host, and everything that its own loopback carried, in order.

    packets: {when, on: wire or lo, protocol, source, target, port, opens, said}. lookups: {when, name, type}.
    requests: {address, port, tls, sni, head} of each HTTP request that arrived anywhere.
    """

    packets: list[dict[str, Any]]
    lookups: list[dict[str, Any]]
    requests: list[dict[str, Any]]

    def since(self, earlier: "Log") -> "Log":
        """What is new."""
        return Log(
            self.packets[len(earlier.packets) :],
            self.lookups[len(earlier.lookups) :],
            self.requests[len(earlier.requests) :],
        )

    @property
    def opened(self) -> list[tuple[str, int]]:
        """Where a connection was begun or a datagram sent, but for questions to the name server."""
        return [(p["target"], p["port"]) for p in self.packets if p["opens"] and p["target"] != NAME_SERVER]


class Internet:
    """A context manager; leaving it ends the process, and with it the namespaces. `home` is the gate's, as a file."""

    def __init__(self, folder: Path) -> None:
        self.authority = folder / "internet.pem"
        self._known: dict[str, list[dict[str, Any]]] = {"packets": [], "lookups": [], "requests": []}
        self._resolver = folder / "resolv.conf"
        self._resolver.write_text(f"nameserver {NAME_SERVER}\noptions timeout:5 attempts:2\n")
        argv = [sys.executable, "-P", "-m", "tests.egress.world.internet_process", str(folder)]
        self._process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/", env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        self.home = str(self._answer()["home"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=10)

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        return told

    def inside(self, argv: Sequence[str]) -> list[str]:
        """The same program with its network, and its name server, in the fake internet; all else is as it was."""
        into = ["nsenter", f"--net={self.home}", "unshare", "--mount", "sh", "-c", _INTO, str(self._resolver)]
        return [*into, *argv]

    def log(self) -> Log:
        """As it is now."""
        assert self._process.stdin is not None
        known = {name: len(events) for name, events in self._known.items()}
        self._process.stdin.write(json.dumps(known).encode() + b"\n")
        self._process.stdin.flush()
        for name, events in self._answer().items():
            self._known[name] += events
        return Log(**{name: list(events) for name, events in self._known.items()})
