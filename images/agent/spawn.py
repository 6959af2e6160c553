"""Starting a command: a keeper that outlives every trick of its children, and a leader, forked ahead, that becomes it.

The keeper runs under the agent's uid, so a command can neither signal nor trace it, and it is a subreaper, so whatever
its command leaves behind by double forks or setsid stays below it in the process tree, where the agent finds it. It is a
program of its own, keeper.c; here is the agent's end of it.
"""

import os
import signal
import socket
import struct
from collections.abc import Callable

import kernel

RUNTIME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
KEEPER = f"{RUNTIME}/keeper"
CHANNEL = RULESET = 3  # the descriptors that keeper.c knows them by
EXEC_PATIENCE_S = 2.0  # a leader that uid 1000 stopped before its exec is given up after this
EXEC_LONGEST_S = 30.0  # one that nobody stopped, on a machine that has no time for it
LOOK_AGAIN_S = 0.5
NICE = 19  # as keeper.c has it
OOM_SCORE = b"500"
PIECE = 1 << 16  # of a plan, in one message
STEPS = ("oom score", "identity", "working directory", "landlock", "exec")  # keeper.c counts them
OURS, RULED = 1, 2
_HEAD = struct.Struct(">IIII")  # how long the rest is, flags, arguments, variables
_TAKEN = struct.Struct(">I")  # the leader's pid: it has the plan
_FAILED = struct.Struct(">II")  # which step failed, its errno
_NEWS = struct.Struct("@iiiiqddd")
IGNORED_BY_PYTHON = (
    signal.SIGPIPE,
    signal.SIGXFSZ,
)  # what is ignored stays so over an exec: `yes | head` would complain


class Plan:
    """What a leader is told: exactly this argv, with this environment, in this directory.

    ours: a program of the agent's own (`own_program`), which finds the ruleset as descriptor RULESET and lowers itself.
    """

    __slots__ = ("argv", "cwd", "env", "ours")

    def __init__(self, argv: list[str], env: dict[str, str], cwd: str, *, ours: bool = False) -> None:
        self.argv, self.env, self.cwd, self.ours = argv, env, cwd, ours

    def as_bytes(self, *, ruled: bool) -> bytes:
        """As keeper.c reads it: what cannot be spelled is as senseless there as a NUL within."""
        strings = [self.cwd, *self.argv, *(f"{name}={value}" for name, value in self.env.items()), ""]
        try:
            body = os.fsencode("\0".join(strings))
        except UnicodeEncodeError:
            body = b""
        flags = (OURS if self.ours else 0) | (RULED if ruled else 0)
        return _HEAD.pack(len(body), flags, len(self.argv), len(self.env)) + body


class News:
    """What a keeper says. ended: of the leader, with what it and its children used; clear: nothing runs below any more;
    full: there was no room for a leader, `status` is the errno."""

    __slots__ = ("at", "kind", "leader", "more", "status", "used")
    ENDED, CLEAR, FULL = range(3)

    def __init__(self, message: bytes) -> None:
        self.kind, self.leader, self.status, more, peak_kb, user_s, system_s, self.at = _NEWS.unpack(message)
        self.more = bool(more)
        self.used = {"utime": user_s, "stime": system_s, "maxrss_kb": peak_kb}

    @classmethod
    def killed(cls, at: float) -> "News":
        """What a keeper that was killed itself can no longer say of its leader."""
        return cls(_NEWS.pack(cls.ENDED, 0, signal.SIGKILL, False, 0, 0.0, 0.0, at))


def own_program(name: str, *arguments: str) -> list[str]:
    """The argv of one: the agent's interpreter, loader and libraries, which uid 1000 cannot read."""
    python = [f"{RUNTIME}/lib/ld.so", "--inhibit-cache", "--library-path", f"{RUNTIME}/lib", f"{RUNTIME}/bin/python3"]
    return [*python, "-I", "-S", "-B", "-X", "utf8", f"{RUNTIME}/agent/{name}", *arguments]


class Start:
    """How far a leader came, as far as its status pipe tells: `over` once it is the command, or gone."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self.leader: int | None = None
        self.failed: tuple[str, int] | None = None  # which step, its errno
        self.over = False
        os.set_blocking(handle, False)

    def look(self) -> None:
        while not self.over:
            try:
                said = os.read(self._handle, _TAKEN.size if self.leader is None else _FAILED.size)
            except BlockingIOError:
                return
            if not said:
                self.over = True
            elif self.leader is None:
                (self.leader,) = _TAKEN.unpack(said)
            else:
                step, number = _FAILED.unpack(said)
                self.failed = STEPS[step], number

    def is_of(self, leader: int) -> bool:
        """Whether that leader had the plan: one may have died while it waited, and the next took it."""
        self.look()
        return self.leader == leader or (self.over and self.leader is None)

    def close(self) -> None:
        os.close(self._handle)


class Keeper:
    """The agent's end of a keeper. `hears` is given each message, b"" when the keeper is gone."""

    def __init__(self, confine: kernel.Filter, uid: int, gid: int) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid == 0:
            _keep(theirs.fileno(), confine, uid, gid)
        theirs.close()
        ours.setblocking(False)
        self.channel = ours
        self.hears: Callable[[bytes], None] = lambda _: None

    def start(self, plan: Plan, streams: tuple[int, int, int], ruleset: int | None) -> Start:
        """Hand the plan and its descriptors to the leader. Raises OSError where there is none any more."""
        body = plan.as_bytes(ruled=ruleset is not None)
        report, status = os.pipe2(os.O_CLOEXEC)
        handles = [*streams, status, *([] if ruleset is None else [ruleset])]
        self.channel.setblocking(True)
        try:
            socket.send_fds(self.channel, [body[:PIECE]], handles)
            for start in range(PIECE, len(body), PIECE):
                self.channel.send(body[start : start + PIECE])
        except OSError:
            os.close(report)
            raise
        finally:
            os.close(status)
            self.channel.setblocking(False)
        return Start(report)

    def hear(self) -> bool:
        """Whether there may be more to hear."""
        try:
            message = self.channel.recv(_NEWS.size)
        except BlockingIOError:
            return False
        except ConnectionResetError:  # told once where it left a plan unread, and before what it said
            return True
        except OSError:
            message = b""
        self.hears(message)
        return bool(message)


def _keep(channel: int, confine: kernel.Filter, uid: int, gid: int) -> None:
    """From the fork to keeper.c; it never returns into the agent's loop."""
    try:
        os.dup2(channel, CHANNEL)
        os.set_inheritable(CHANNEL, True)
        os.closerange(CHANNEL + 1, 1 << 16)  # 0 to 2 stay: what is received never lands on a standard stream
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, *IGNORED_BY_PYTHON):
            signal.signal(number, signal.SIG_DFL)
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        confine.apply()
        os.execve(KEEPER, [KEEPER, str(uid), str(gid)], {})  # noqa: S606 - a program of ours; no shell
    finally:
        os._exit(127)


def set_apart(confine: kernel.Filter, gid: int) -> None:
    """What a leader is from its start, for a fork of the agent. Raises OSError."""
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    confine.apply()
    os.setsid()
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.umask(0o022)


def lower(uid: int, ruleset: int | None) -> None:
    """What a leader is besides once it is a command, for the agent's own code. Raises OSError."""
    with open("/proc/self/oom_score_adj", "wb", buffering=0) as score:
        score.write(OOM_SCORE)
    os.nice(NICE)
    os.setresuid(uid, uid, uid)
    kernel.drop_capabilities()
    if ruleset is not None:
        kernel.call(kernel.syscall(kernel.SYS_LANDLOCK_RESTRICT, ruleset, 0), "landlock_restrict_self")
