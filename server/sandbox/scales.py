"""What each sandbox holds on the engine's disk: weighed by a container of ours that sees their files from outside.

It has no network, no file system that it could write, and reads names and sizes only; it ends by itself where nobody asks.
"""

import json
import socket
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

import docker
from docker.errors import DockerException
from requests import RequestException

from server.sandbox.disk_watch import Weight
from server.sandbox.engine import NoEngine
from server.sandbox.image_build import ImageMissing, ImageOutdated
from server.sandbox.orphans import SANDBOX_LABEL
from server.sandbox.sandbox import AGENT, MIB, SandboxFailed

# By the image's own interpreter: where an engine maps users away, what is root's alone there may be read and not started.
WEIGH: Final = ("/usr/bin/python3", "-I", "-S", "-B", str(PurePosixPath(AGENT[-1]).with_name("weigh.py")))
PATIENCE_S: Final = 30.0  # for one sandbox; the program itself stops after 20 s
FRAME: Final = struct.Struct(">BxxxI")  # the engine's own, around what a container says
STDOUT: Final = 1
MOST_ANSWER_BYTES: Final = 4 * MIB
_OF_THE_ENGINE: Final = (NoEngine, ImageMissing, ImageOutdated, DockerException, RequestException)
TROUBLES: Final = (*_OF_THE_ENGINE, OSError, ValueError, KeyError, TypeError)
UNWEIGHED: Final = (
    "The engine does not let us see what its sandboxes hold, so it is asked itself: room that others free meanwhile hides "
    "what a sandbox writes, and so do files that have no name any more."
)


class Silent(OSError):
    """The container that weighs has ended."""


@dataclass(frozen=True, slots=True)
class _Placed:
    """Its first process as the engine's machine numbers it, and what is lent to it, which is not its own."""

    pid: int
    lent: Sequence[str]


class Scales:
    """Blocking, for threads; one weighing at a time."""

    def __init__(
        self,
        api: Callable[[], docker.APIClient],
        image: Callable[[docker.APIClient], str],
        labels: Mapping[str, str],
        weakened: Callable[[str], None],
        *,
        asks_the_engine: bool = False,
    ) -> None:
        """`asks_the_engine`: no container is made, and what the engine says has to do."""
        self._api, self._image, self._labels, self._weakened = api, image, labels, weakened
        self._asks_the_engine = asks_the_engine
        self._placed: dict[str, _Placed] = {}
        self._line: _Line | None = None
        self._changing = threading.Lock()

    def place(self, identity: str, pid: int, lent: Sequence[str]) -> None:
        self._placed[identity] = _Placed(pid, lent)

    def take_off(self, identity: str) -> None:
        """After the last one nothing is left that weighs."""
        self._placed.pop(identity, None)
        if not self._placed:
            self.close()

    def close(self) -> None:
        with self._changing:
            line, self._line = self._line, None
        if line is not None:
            line.close()

    def weigh(self) -> dict[str, Weight]:
        """Raises SandboxFailed where not even the engine says anything."""
        if self._asks_the_engine:
            return self._as_the_engine_says()
        for _ in range(2):  # one that nobody asked for a while has ended by itself
            try:
                line, placed = self._opened()
                return line.ask(placed) if line else {}
            except Silent:
                self.close()
            except TROUBLES:
                self.close()
                break
        if self._placed:
            self._weakened(UNWEIGHED)
        return self._as_the_engine_says()

    def _opened(self) -> tuple["_Line | None", Mapping[str, _Placed]]:
        """And what is to be weighed, looked at in one: none is made after the last sandbox has gone."""
        with self._changing:
            placed = dict(self._placed)
            if self._line is None and placed:
                self._line = _Line(self._api(), self._image(self._api()), self._labels)
            return self._line if placed else None, placed

    def _as_the_engine_says(self) -> dict[str, Weight]:
        try:
            found = [
                entry
                for identity in tuple(self._placed)
                for entry in self._api().containers(size=True, filters={"label": f"{SANDBOX_LABEL}={identity}"})
            ]
        except _OF_THE_ENGINE as exc:
            raise SandboxFailed(
                f"the Docker engine does not say what its sandboxes hold: {type(exc).__name__}"
            ) from exc
        return {entry["Labels"][SANDBOX_LABEL]: Weight(int(entry.get("SizeRw") or 0), guessed=True) for entry in found}


class _Line:
    """One container that weighs, and the line to it."""

    def __init__(self, api: docker.APIClient, image: str, labels: Mapping[str, str]) -> None:
        self._api = api
        made = api.create_container(
            image,
            entrypoint=list(WEIGH),
            user="0:0",
            labels=dict(labels),
            stdin_open=True,  # and closed when we go, whatever we died of: then it ends
            healthcheck={"test": ["NONE"]},
            network_disabled=True,  # beside "none": as for a sandbox, see there
            host_config=api.create_host_config(**_HOST),
        )
        self._id, self._unread = str(made["Id"]), bytearray()
        self._connection: Any = None
        try:
            self._connection = api.attach_socket(self._id, params={"stdin": 1, "stdout": 1, "stream": 1})
            self._sock = getattr(self._connection, "_sock", self._connection)
            self._sock.settimeout(PATIENCE_S)
            api.start(self._id)
        except BaseException:
            self.close()
            raise

    def ask(self, placed: Mapping[str, _Placed]) -> dict[str, Weight]:
        question = {identity: [each.pid, list(each.lent)] for identity, each in placed.items()}
        try:
            self._sock.sendall(json.dumps(question).encode() + b"\n")
        except (BrokenPipeError, ConnectionResetError) as exc:
            raise Silent from exc
        return {
            str(identity): Weight(int(size), whole=whole is True)
            for identity, size, whole in iter(lambda: json.loads(self._hear()), [])
        }

    def _hear(self) -> bytes:
        """A line."""
        while b"\n" not in self._unread:
            stream, size = FRAME.unpack(self._exactly(FRAME.size))
            said = self._exactly(size)
            if stream == STDOUT:
                self._unread += said
            if len(self._unread) > MOST_ANSWER_BYTES:
                raise ValueError("no answer is that long")
        line, _, rest = bytes(self._unread).partition(b"\n")
        self._unread = bytearray(rest)
        return line

    def _exactly(self, size: int) -> bytes:
        got = bytearray()
        while len(got) < size:
            more = self._sock.recv(size - len(got))
            if not more:
                raise Silent
            got += more
        return bytes(got)

    def close(self) -> None:
        if self._connection is not None:
            answer = getattr(self._connection, "_response", self._connection)  # who else would close it
            with suppress(OSError), closing(self._connection), closing(answer):
                self._sock.shutdown(socket.SHUT_RDWR)  # who waits for an answer in another thread waits no more
        with suppress(DockerException, RequestException):  # it may have gone by itself
            self._api.remove_container(self._id, force=True)


_HOST: Final[Mapping[str, Any]] = {
    "network_mode": "none",
    "pid_mode": "host",  # a file that has no name is found only through the process that holds it open
    "userns_mode": "host",  # an engine that maps users would not let it see them otherwise
    "cap_drop": ["ALL"],
    # DAC_READ_SEARCH: folders that their owner closed. FOWNER: reading them leaves no time of access. SYS_PTRACE and
    # CHECKPOINT_RESTORE: what a process holds open or has mapped, also one that let nobody look.
    "cap_add": ["DAC_READ_SEARCH", "FOWNER", "SYS_PTRACE", "CHECKPOINT_RESTORE"],
    "security_opt": [
        "no-new-privileges",
        "apparmor=unconfined",
        "label=disable",
    ],  # both would close /proc of others to it
    "read_only": True,
    "mem_limit": 128 * MIB,
    "memswap_limit": 128 * MIB,
    "pids_limit": 4,
    "nano_cpus": 10**9,
    "auto_remove": True,
    "log_config": {"type": "none"},
}
