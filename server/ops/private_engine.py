"""A dockerd of our own: its folder, its start, its end. It leaves the firewall, IP forwarding and docker0 as they are, so
that it can run beside an engine of the system's."""

import ctypes
import fcntl
import os
import shutil
import signal
import subprocess  # noqa: TID251  # the engine is the one process that cannot run in a sandbox of its own
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server.ops.bridge_device import make_bridge, remove_bridge
from server.sandbox.apt_lines import FULL_DISK, is_full_disk
from server.sandbox.engine import HOST_NETWORK_LABEL, Engine, Unreachable, private_folder, private_url, probe
from server.sandbox.sandbox import MIB

SOURCE: Final = "the private engine"
_START_S: Final = 60.0  # measured: 1.5 s; a slow disk with many images takes longer
_TELL_EVERY_S: Final = 10.0
_STOP_S: Final = 30.0  # dockerd gives its containers 10 s, then ends them
_POLL_S: Final = 0.1
_SOCKET_PATH_MAX: Final = 107  # sizeof(sockaddr_un.sun_path) - 1
_MNT_DETACH: Final = 2
_SYSTEM_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_HANDS_OFF: Final = (
    "--iptables=false",  # dockerd would rewrite the chains of another engine, and drop what the host forwards
    "--ip6tables=false",
    "--ip-forward=false",
    "--ip-masq=false",
    f"--label={HOST_NETWORK_LABEL}",  # so its builds use the host's network
)

type Say = Callable[[str], None]


class NotStarted(Exception):
    """Our engine could not be started; the sentence has the reason and the log's path."""


class NotStopped(Exception):
    """Our engine was told to end and is still there."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything of the engine lies."""

    folder: Path

    @property
    def pid_file(self) -> Path:
        return self.folder / "docker.pid"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def log(self) -> Path:
        return self.folder / "dockerd.log"

    @property
    def longest_socket(self) -> Path:
        return self.run / "containerd" / "containerd-debug.sock"


def layout(state_dir: Path) -> Layout:
    return Layout(private_folder(state_dir))


def running_pid(state_dir: Path) -> int | None:
    """The process that the pid file names, if it is a dockerd with our data folder: numbers are used again."""
    ours = layout(state_dir)
    try:
        pid = int(ours.pid_file.read_text())
    except (OSError, ValueError):
        return None
    return pid if _is_ours(pid, ours) else None


def start(state_dir: Path, environ: Mapping[str, str], say: Say) -> Engine:
    """Start it where it does not run, and wait until it answers."""
    ours = layout(state_dir)
    _check_paths(ours)
    ours.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(ours):
        if running_pid(state_dir) is None:
            ours.pid_file.unlink(missing_ok=True)  # of an engine that died: dockerd would refuse to start beside it
            say(f"Starting a private engine in {ours.folder}")
            process = _spawn(ours, private_url(state_dir), environ)
        else:
            process = None
        try:
            return _await_answer(ours, private_url(state_dir), process, say)
        except NotStarted:
            if process and process.poll() is not None:
                _leave_nothing(ours)
            raise


def stop(state_dir: Path, say: Say) -> bool:
    """End our engine and the containers in it; False when it does not run."""
    pid = running_pid(state_dir)
    if pid is None:
        return False
    say(f"Stopping the private engine (process {pid})")
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_S
    while _is_ours(pid, layout(state_dir)):  # the pid file goes before the last mounts do
        if time.monotonic() > deadline:
            raise NotStopped(
                f"The engine (process {pid}) has not ended within {_STOP_S:.0f} s; see {layout(state_dir).log}."
            )
        time.sleep(_POLL_S)
    _leave_nothing(layout(state_dir))
    return True


def _leave_nothing(ours: Layout) -> None:
    _unmount_rest(ours)
    remove_bridge(ours.folder)


def _unmount_rest(ours: Layout) -> None:
    """A dockerd that took over from one that was killed keeps the old one's mounts, and nobody could remove the folder."""
    libc = ctypes.CDLL(None, use_errno=True)
    points = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for point in reversed(points):
        if Path(point).is_relative_to(ours.folder):
            libc.umount2(os.fsencode(point), _MNT_DETACH)


def _check_paths(ours: Layout) -> None:
    length = len(os.fsencode(ours.longest_socket))
    if length > _SOCKET_PATH_MAX:
        raise NotStarted(
            f"{ours.folder} is too deep: the engine's socket {ours.longest_socket} has {length} bytes and a Unix socket's "
            f"path at most {_SOCKET_PATH_MAX}; choose a shorter state directory."
        )


@contextmanager
def _alone(ours: Layout) -> Iterator[None]:
    # Two servers that start at the same moment must not start two engines on one data folder.
    with (ours.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _spawn(ours: Layout, url: str, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    path = os.pathsep.join(filter(None, [environ.get("PATH"), _SYSTEM_PATH]))
    program = shutil.which("dockerd", path=path)
    if program is None:
        raise NotStarted("dockerd is not installed; run: apt-get install docker.io")
    argv = [program, "--host", url, "--data-root", str(ours.data), "--exec-root", str(ours.run)]
    argv += ["--pidfile", str(ours.pid_file), "--group", "root"]
    argv += ["--bridge", _bridge(ours), *_HANDS_OFF]
    with ours.log.open("wb") as log:
        return subprocess.Popen(  # noqa: S603  # found on root's own PATH, with our own arguments
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**environ, "PATH": path},
            start_new_session=True,  # it outlives the command that started it, and its terminal
        )


def _await_answer(ours: Layout, url: str, process: subprocess.Popen[bytes] | None, say: Say) -> Engine:
    started = time.monotonic()
    deadline, told = started + _START_S, started
    while True:
        try:
            return _detached(process, probe(url, SOURCE))
        except Unreachable as error:
            if process and process.poll() is not None:
                raise NotStarted(f"dockerd ended at once: {_reason(ours.log)} (log: {ours.log})") from error
            if time.monotonic() > deadline:
                raise NotStarted(
                    f"dockerd has not answered within {_START_S:.0f} s: {error} (log: {ours.log})"
                ) from error
        if time.monotonic() > told + _TELL_EVERY_S:
            told = time.monotonic()
            say(f"dockerd does not answer yet ({told - started:.0f} s of {_START_S:.0f}); its log is {ours.log}")
        time.sleep(_POLL_S)


def _detached(process: subprocess.Popen[bytes] | None, engine: Engine) -> Engine:
    if process:
        process.returncode = 0  # it lives on after us on purpose; without this Popen warns that it still runs
    return engine


def _bridge(ours: Layout) -> str:
    try:
        return make_bridge(ours.folder)
    except OSError as error:
        raise NotStarted(f"The engine's network bridge cannot be made: {error.strerror}.") from error


def _is_ours(pid: int, ours: Layout) -> bool:
    return str(ours.data) in _arguments(pid)


def _arguments(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def _reason(log: Path) -> str:
    """Its last words; on a full disk those are about something else, or could not be written."""
    said = log.read_text(errors="replace")
    lines = [line for line in said.splitlines() if line.strip()]
    if is_full_disk(said) or (not lines and shutil.disk_usage(log.parent).free < MIB):
        return FULL_DISK
    return lines[-1] if lines else "it said nothing"
