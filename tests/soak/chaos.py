"""Random deaths, dealt from outside as the host's root could: commands, agents, containers, the engine's shims."""

import contextlib
import os
import random
import signal
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, NotFound

from tests.end_to_end.rig import Home

COMMANDS_OF = 1000  # uid


def servers(home: Home) -> frozenset[str]:
    """Every server that this home has had."""
    audit = home.folder / "state/audit/audit.jsonl"
    return frozenset(line["server"] for line in home.audit("server.started")) if audit.exists() else frozenset()


def _is_of(entry: dict[str, Any], known: frozenset[str]) -> bool:
    return entry["Labels"].get("sandgate.server") in known


@dataclass
class Chaos:
    """One death at a time; `dealt` counts each kind that really happened."""

    api: docker.APIClient
    home: Home
    dice: random.Random
    dealt: Counter[str] = field(default_factory=Counter)
    shimless: list[str] = field(default_factory=list)  # containers whose shim was killed

    def strike(self) -> None:
        """Something of a random sandbox, unless that ends by itself at this moment."""
        found = [entry["Id"] for entry in self.api.containers() if _is_of(entry, servers(self.home))]
        kind = self.dice.choice((self.command, self.agent, self.container, self.shim))
        with contextlib.suppress(APIError, NotFound, ProcessLookupError, FileNotFoundError, IndexError):
            kind(self.dice.choice(found))
            self.dealt[kind.__name__] += 1

    def command(self, container: str) -> None:
        listed = self.api.top(container, "-eo pid,uid")["Processes"]
        os.kill(self.dice.choice([int(pid) for pid, uid in listed if int(uid) == COMMANDS_OF]), signal.SIGKILL)

    def agent(self, container: str) -> None:
        os.kill(self._init(container), signal.SIGKILL)

    def container(self, container: str) -> None:
        self.api.remove_container(container, force=True, v=True)

    def shim(self, container: str) -> None:
        parent = int(Path(f"/proc/{self._init(container)}/stat").read_text().rpartition(")")[2].split()[1])
        if not Path(f"/proc/{parent}/comm").read_text().startswith("containerd-shim"):
            raise ProcessLookupError  # its shim was killed before, and containerd is about to end it
        self.shimless.append(container)
        os.kill(parent, signal.SIGKILL)

    def server(self) -> None:
        os.kill(self.home.pid_of("serve"), signal.SIGKILL)
        self.dealt["server"] += 1

    def _init(self, container: str) -> int:
        pid = int(self.api.inspect_container(container)["State"]["Pid"])
        if not pid:  # it has just ended, and a signal to 0 would be to ourselves
            raise ProcessLookupError
        return pid
