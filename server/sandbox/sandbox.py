"""What a sandbox is to the rest of the server: its promises as protocols, its shape as one specification."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from policy.held import HeldFile
from policy.verdict import Permit

type Status = Literal["exited", "running", "timed_out", "killed", "out_of_memory", "disk_full", "cancelled"]

type WriteMode = Literal["overwrite", "create", "append"]

HOME = "/home/agent"
WORKSPACE = "/workspace"
LINK_DIR = "/run/sandgate"  # inside; the per-sandbox directory is mounted here
AGENT_DIR = "/opt/sandgate"  # inside; the agent's volume is mounted here
_RUNTIME = f"{AGENT_DIR}/runtime"
AGENT = (
    f"{_RUNTIME}/busybox",  # static: no loader of the image's, and no LD_* variable, has a say before it
    *(
        "env",
        "-i",
        "LC_ALL=C",
        "TZ=UTC0",
        f"TZDIR={AGENT_DIR}/none",
    ),  # no locale or time zone file of the image is read
    *(f"{_RUNTIME}/lib/ld.so", "--inhibit-cache", "--library-path", f"{_RUNTIME}/lib"),
    *(f"{_RUNTIME}/bin/python3", "-I", "-S", "-B", "-X", "utf8", f"{_RUNTIME}/agent/agent.pyc"),
)
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the sandbox's own
USER_ID = 1000  # of commands, and of everything in the image's home
MIB = 1 << 20
OUTLIVES = 64 * MIB  # of files in /dev/shm, and of System V shared memory


class SandboxFailed(Exception):
    """A sandbox could not be made; the sentence says what to do."""


class NoSuchImage(SandboxFailed):
    """The engine does not have the image that the sandbox was to be made from."""


class SandboxLost(Exception):
    """The sandbox ended, or its agent stopped making sense, while something was asked of it."""


class FileRefused(Exception):
    """The sandbox's agent would not, or could not, do a file operation."""

    def __init__(self, reason: str, number: int = 0) -> None:
        super().__init__(reason)
        self.number = number  # errno, 0 where it is not one


@dataclass(frozen=True, slots=True)
class Exit:
    """How a command ended. exit_code is None unless it exited by itself; times in seconds, memory in KiB.

    cpu_s is that of all its processes that ended before it or with it, peak_memory_kb that of the largest of them
    (getrusage). detail: who ended it, or which limit of the sandbox was met.
    """

    status: Status
    exit_code: int | None = None
    signal: int | None = None
    duration_ms: int = 0
    cpu_s: float = 0.0
    peak_memory_kb: int = 0
    left_behind: int = 0  # processes of its tree that still run; job_stop ends them
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A path opened in the sandbox: what it really is, and the handle that a read or write then uses."""

    handle: int
    real: str
    exists: bool
    kind: str = ""
    size: int = 0
    identity: tuple[int, int] = (0, 0)  # device and inode, as the sandbox sees them
    executable: bool = False


@dataclass(frozen=True, slots=True)
class Content:
    """A file's bytes as far as asked for, and its whole size."""

    data: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Stored:
    """What a write left: the file's size, whether it is new, and how many names the file before it had."""

    size: int
    created: bool
    names: int = 1


@dataclass(frozen=True, slots=True)
class Entry:
    name: str
    kind: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class Listing:
    """The first entries of a directory, by name. `whole` is False where it has more than were counted in `total`."""

    entries: tuple[Entry, ...]
    total: int
    whole: bool = True


class Output(Protocol):
    """Where a command's bytes and end go. Called from the link's reader: it must not block."""

    def write(self, stream: int, data: bytes) -> None: ...

    def ended(self, end: Exit) -> None: ...

    def cleared(self) -> None:
        """What was left behind at the end is gone as well."""


class Running(Protocol):
    """A command that was started."""

    async def send(self, data: bytes, *, close: bool) -> None:
        """All of it or nothing. Raises FileRefused: EPIPE where its input is closed, EAGAIN where it does not read."""

    async def stop(self, signal: int, reason: str, grace_s: float) -> None: ...


class Sandbox(Protocol):
    """One container, one session. Everything that changes it takes a Permit."""

    @property
    def id(self) -> str: ...

    @property
    def spec(self) -> "SandboxSpec": ...

    @property
    def key(self) -> str:
        """What its agent shows when another server adopts it."""

    @property
    def alive(self) -> bool: ...

    frozen: bool  # whether it is paused: then its silence says nothing

    @property
    def shell(self) -> str: ...

    async def run(self, permit: Permit, output: Output, mark: str = "") -> Running:
        """`mark`: what comes with the connections that it opens, where the agent can tell that they are its own."""

    async def resolve(self, path: str) -> Found: ...

    async def read(
        self, permit: Permit, found: Found, limit: int, *, offset: int = 0, keep: bool = False
    ) -> Content: ...

    async def add(self, permit: Permit, found: Found, content: bytes) -> None:
        """A part of what the file will hold: it waits beside the file until `write` brings the last, or `drop`."""

    async def drop(self, found: Found) -> None: ...

    async def write(
        self,
        permit: Permit,
        found: Found,
        content: bytes,
        mode: WriteMode,
        *,
        unchanged: bool = False,
        executable: bool = False,
    ) -> Stored: ...

    async def entries(self, permit: Permit, found: Found, limit: int) -> Listing: ...

    async def search(self, permit: Permit, found: Found, request: Mapping[str, Any]) -> bytes: ...

    async def digests(self, paths: Sequence[str], folders: Sequence[str], most_bytes: int) -> tuple[HeldFile, ...]:
        """Of the regular files among `paths`, in that order, and of those `folders` that are any, with all in them; what is
        not there or cannot be read is left out."""

    async def put(self, archive: Iterator[bytes]) -> None:
        """Unpack tar at the root, as root: before anybody has used it, never later. Raises SandboxFailed."""

    async def look(self, permit: Permit, verb: str, folder: str, told: bytes, output: Output) -> Running:
        """The agent's own reading of a folder, in a process of the commands' user: see images/agent/folder.py."""

    async def ours(self, path: str, limit: int) -> bytes | None:
        """A file that `put` brought, which no command can change; None where there is none."""

    async def ping(self) -> None: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder of the host that the operator named. device and inode are compared inside before the sandbox is used."""

    source: str
    target: str
    read_only: bool
    device: int
    inode: int


@dataclass(frozen=True, slots=True)
class Copy:
    """A folder of the host whose files are streamed into a new sandbox. device and inode are compared when it is read.

    whole: everything in it and nothing of it compared later, as of the repository that a git worktree belongs to.
    """

    source: str
    target: str
    device: int
    inode: int
    whole: bool = False


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """Everything that decides what a sandbox is. Equal specs are interchangeable, so pools are kept by spec."""

    image: str
    environment: str
    mounts: tuple[Mount, ...] = ()
    copies: tuple[Copy, ...] = ()
    guards: tuple[Mount, ...] = ()  # over parts of writable mounts: what a host would run from them, and the way there
    cpus: float = 2.0
    memory_bytes: int = 2048 * MIB
    disk_bytes: int = 4096 * MIB  # a quota where the engine has one, else measured
    pids: int = 1024
    open_files: int = 4096
    ports: tuple[int, ...] = (80, 443)
    user: tuple[int, int] = (USER_ID, USER_ID)  # uid and gid of commands: the owner's where a folder is lent
    runtime: str | None = None
    landlock_required: bool = False
    secrets: tuple[str, ...] = ()  # by name: whose placeholders it has
    lent_as: str = ""  # the sandbox whose placeholders it has: its session's first; empty: it is that itself

    @property
    def workspaces(self) -> tuple[str, ...]:
        return (WORKSPACE, *(copy.target for copy in self.copies), *(mount.target for mount in self.mounts))

    @property
    def home(self) -> str:
        """The image's home belongs to uid 1000; another user gets a fresh one."""
        return HOME if self.user[0] == USER_ID else "/tmp/home"  # noqa: S108 - inside the sandbox, made by the agent as that user

    @property
    def start_dir(self) -> str:
        """The first folder lent, copies before mounts."""
        return self.workspaces[1] if self.copies or self.mounts else WORKSPACE

    def container(self, name: str, labels: dict[str, str]) -> dict[str, Any]:
        """The container's own settings, as the engine's create call takes them."""
        return {
            "image": self.image,
            "name": name,
            "hostname": "sandbox",  # the host's name is nobody's business inside
            "entrypoint": list(AGENT),  # the image's own is never run: PID 1 is ours
            # who commands run as, where they live, what the relay listens on
            "command": [f"{self.user[0]}:{self.user[1]}", self.home, *map(str, self.ports)],
            "user": "0:0",  # the agent; commands become uid 1000 in it, whatever USER the image names
            "working_dir": "/",  # nothing of a workspace is on PID 1's path
            "healthcheck": {"test": ["NONE"]},  # the image's own would run as root, unjudged
            "labels": labels,  # orphans are found by these
            # No network of the engine's at all: a start then does without the program that would set up "none", 50 ms of
            # processor time. runc brings loopback up by itself; another runtime may leave that to the engine.
            "network_disabled": self.runtime is None,
        }

    def host_config(self, link: Mapping[str, Any], agent_volume: str, seccomp: str) -> dict[str, Any]:
        """What the engine holds the container to. Each line is a control: none may go without its reason."""
        return {
            "network_mode": "none",  # no interface but loopback: nothing to bypass (promise 3)
            "dns": ["127.0.0.1"],  # the agent's resolver, where the engine sets up "none": names lead to the gate
            "cap_drop": ["ALL"],  # commands hold no capability at all
            # SETUID and SETGID: commands become uid 1000. KILL: the agent ends them. SETPCAP: it empties the bounding
            # set at its start and gives this one up with it.
            "cap_add": ["SETUID", "SETGID", "KILL", "SETPCAP"],
            "security_opt": [
                "no-new-privileges",
                f"seccomp={seccomp}",
            ],  # no setuid program gains; our own syscall list
            "mem_limit": self.memory_bytes,
            "memswap_limit": self.memory_bytes,  # equal to mem_limit: no swap
            "nano_cpus": int(self.cpus * 1e9),
            "pids_limit": self.pids,  # a fork bomb stays in its own box
            "ulimits": _ulimits(
                {"nofile": self.open_files}
            ),  # of core dumps the agent sees to it: see kernel.dump_nothing()
            # What outlives its command in memory is bounded: with that full no later one would begin, and PID 1 be the next
            # to be killed. Empty files count as well: the kernel holds a kilobyte for each.
            "tmpfs": {SHARED_MEMORY: f"rw,nosuid,nodev,noexec,mode=1777,size={OUTLIVES},nr_inodes=4096"},
            "sysctls": _IPC,
            "ipc_mode": "private",  # no shared memory with a neighbour
            "cgroupns": "private",  # the host's cgroup paths stay out of sight
            "auto_remove": True,  # the engine removes it when PID 1 ends, whoever is still alive to ask
            "log_config": {"type": "none"},  # PID 1 says nothing; a log file could only grow
            "runtime": self.runtime,  # runsc or kata where the operator has one
            # As mounts, not binds: for those the engine would make a missing source itself, as root.
            "mounts": [
                dict(link),
                _agent(agent_volume),
                *map(_lend, (*self.mounts, *self.guards)),
            ],
        }


_IPC = {
    "kernel.shmall": str(OUTLIVES // 4096),  # pages of shared memory
    "kernel.sem": "250 32000 100 128",  # as it was for decades: 2 MB of them
    "kernel.msgmni": "16",  # queues of 1 MB at most, empty messages counted
}


def _agent(volume: str) -> dict[str, Any]:
    # Never filled from the image, which may hold something of its own at that path.
    return {
        "Type": "volume",
        "Source": volume,
        "Target": AGENT_DIR,
        "ReadOnly": True,
        "VolumeOptions": {"NoCopy": True},
    }


def _lend(mount: Mount) -> dict[str, Any]:
    options = {"Propagation": "rprivate"}  # what is mounted on the host later does not appear inside
    place = {"Source": mount.source, "Target": mount.target, "ReadOnly": mount.read_only}
    return {"Type": "bind", **place, "BindOptions": options}


def _ulimits(limits: dict[str, int]) -> Sequence[dict[str, Any]]:
    return [{"Name": name, "Soft": value, "Hard": value} for name, value in limits.items()]
