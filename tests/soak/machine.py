"""What a machine has of an engine's work: in the engine, on the file system, in the process table."""

import hashlib
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import docker

from tests.end_to_end.rig import Home

SHIM_SOCKETS = Path("/run/containerd/s")  # of every engine of a machine
SHARED = ("/tmp", "/var/tmp", "/dev/shm")  # the machine's, only looked at
KERNELS = Path("/sys/fs/cgroup")
PATIENCE_S = 3600  # with an engine that makes no container


@dataclass
class Births:
    """The ids of all containers that the engine made since: what is shared with other engines is told apart by them."""

    ids: set[str] = field(default_factory=set[str])

    @contextmanager
    def heard(self, open_client: Callable[[], AbstractContextManager[docker.APIClient]]) -> Iterator["Births"]:
        with open_client() as api:
            api.timeout = PATIENCE_S
            stream = api.events(decode=True, filters={"type": "container", "event": "create"})
            hearing = threading.Thread(target=lambda: self.ids.update(event["id"] for event in stream))
            hearing.start()
            try:
                yield self
            finally:
                stream.close()
                hearing.join(10)


@dataclass(frozen=True, slots=True)
class Engine:
    """api: the engine. data, run: its two folders, of which it alone writes."""

    api: docker.APIClient
    data: Path
    run: Path
    address: str  # of its containerd, which names the sockets of its shims

    @classmethod
    def of(cls, api: docker.APIClient, url: str) -> "Engine":
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(url.removeprefix("unix://"))
            peer = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid = struct.unpack("3i", peer)[0]
        argv = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        told = dict(pairwise(argv))
        run = Path(told.get("--exec-root", "/run/docker"))
        own = run / "containerd/containerd.sock"
        return cls(
            api,
            Path(api.info()["DockerRootDir"]),
            run,
            told.get("--containerd", str(own) if own.exists() else "/run/containerd/containerd.sock"),
        )

    def shim_socket(self, container: str) -> Path:
        """Of the container's shim, as containerd names it."""
        return SHIM_SOCKETS / hashlib.sha256(f"{self.address}/moby/{container}".encode()).hexdigest()

    def forget(self, shimless: Iterable[str]) -> None:
        """The names of sockets: all that containerd leaves for good of shims that were killed, which is no news."""
        for container in shimless:
            self.shim_socket(container).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Machine:
    """Names, by what they are names of."""

    found: Mapping[str, frozenset[str]]

    @classmethod
    def look(cls, engine: Engine, home: Home, ids: Iterable[str]) -> "Machine":
        api, born = engine.api, frozenset(ids)
        mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        places = (str(engine.data), str(engine.run), str(home.folder))
        found: dict[str, Iterable[str]] = {
            "containers": (entry["Id"] for entry in api.containers(all=True)),
            "images": (f"{entry['Id']} {entry['RepoTags']}" for entry in api.images(all=True)),
            "volumes": (entry["Name"] for entry in api.volumes()["Volumes"] or []),
            "networks": (entry["Id"] for entry in api.networks()),
            "engine's layers": _names(engine.data / "overlay2", 2, below="l"),
            "engine's data": _names(engine.data, 5, without={"overlay2", "image"}),
            "engine's images": _names(engine.data / "image", 5),
            "engine's run": _names(engine.run, 5, without={"netns"}),  # libnetwork sweeps that once a minute
            "shims' sockets": (path.name for path in map(engine.shim_socket, born) if path.exists()),
            "mounts": (point for point in mounts if point.startswith(places)),
            "cgroups": _of(born, (folder for folder, _, _ in os.walk(KERNELS))),
            "home": (name for name in _names(home.folder, 9) if not name.startswith("state/audit/")),
            "shared folders": (str(path) for place in SHARED for path in Path(place).glob("*sandgate*")),
            "processes of home": home.processes(),
            "processes of containers": _processes(born),
        }
        return cls({what: frozenset(names) for what, names in found.items()})

    def beyond(self, before: "Machine") -> str:
        """What is more or less than it was, empty where nothing is."""
        return "; ".join(
            f"{what}: {[f'+{name}' for name in sorted(names - old)] + [f'-{name}' for name in sorted(old - names)]}"
            for what, names in self.found.items()
            if names != (old := before.found[what])
        )


def _names(folder: Path, depth: int, *, below: str = "", without: Iterable[str] = ()) -> Iterator[str]:
    """Paths below the folder, so many names long at most. below: only there is gone into; without: not even looked at."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in [entry for entry in entries if entry.name not in without]:
            yield entry.name
            if depth > 1 and entry.is_dir(follow_symlinks=False) and below in ("", entry.name):
                yield from (f"{entry.name}/{name}" for name in _names(folder / entry.name, depth - 1, without=without))


def _of(ids: frozenset[str], names: Iterable[str]) -> Iterator[str]:
    return (
        name for name in names if any(part.removeprefix("docker-").partition(".")[0] in ids for part in name.split("/"))
    )


def _processes(ids: frozenset[str]) -> Iterator[str]:
    """Shims by what they were started with, everything inside by its cgroup: also what a killed shim left behind."""
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            words = (
                (entry / "cmdline").read_bytes().decode(errors="replace").split("\0") if entry.name.isdigit() else []
            )
            if words and (ids & set(words) or any(_of(ids, (entry / "cgroup").read_text().split()))):
                yield f"{entry.name} {' '.join(words)}"
