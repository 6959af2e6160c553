"""Starting a command: a keeper that outlives every trick of its children, and a leader, forked ahead, that becomes it.

The keeper runs under the agent's uid, so a command can neither signal nor trace it, and it is a subreaper, so whatever
its command leaves behind by double forks or setsid stays below it in the process tree, where the agent finds it. When
nothing of the command is left, it forks the leader of the next: all that needs no plan is done before one is there.
"""

import contextlib
import errno
import json
import os
import signal
import socket
import struct
import time
from collections.abc import Callable

import folder
import kernel

EXEC_PATIENCE_S = 2.0  # a leader that uid 1000 stopped before its exec is given up after this
NICE = 19  # 150 busy loops moved a call's p50 from 1.8 to 6 ms at 19, to 485 ms at 0 (measured)
OOM_SCORE = b"500"  # unmapped memfds charge the cgroup, not a process: without it the killer may take PID 1
PIECE = 1 << 16  # of a plan, in one message
_LENGTH = struct.Struct(">I")
_TAKEN = struct.Struct(">I")  # the leader's pid: it has the plan
_DESCRIPTOR = struct.Struct("@i")
_FAILED = struct.Struct(">ii")  # which step failed, its errno
STEPS = ("oom score", "identity", "working directory", "landlock", "exec")
IGNORED_BY_PYTHON = (
    signal.SIGPIPE,
    signal.SIGXFSZ,
)  # what is ignored stays so over an exec: `yes | head` would complain


class Plan:
    """What a leader is told: exactly this argv, with this environment, in this directory.

    ours: no program to execute, but the agent's own reading of a folder.
    """

    __slots__ = ("argv", "cwd", "env", "ours")

    def __init__(self, argv: list[str], env: dict[str, str], cwd: str, *, ours: bool = False) -> None:
        self.argv, self.env, self.cwd, self.ours = argv, env, cwd, ours


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
            _keep(theirs, confine, uid, gid)
        theirs.close()
        ours.setblocking(False)
        self.channel = ours
        self.hears: Callable[[bytes], None] = lambda _: None

    def start(self, plan: Plan, streams: tuple[int, int, int], ruleset: int | None) -> Start:
        """Hand the plan and its descriptors to the leader. Raises OSError where there is none any more."""
        body = json.dumps([plan.argv, plan.env, plan.cwd, plan.ours]).encode()
        report, status = os.pipe2(os.O_CLOEXEC)
        handles = [*streams, status, *([] if ruleset is None else [ruleset])]
        self.channel.setblocking(True)
        try:
            socket.send_fds(self.channel, [_LENGTH.pack(len(body)), body[:PIECE]], handles)
            for start in range(PIECE, len(body), PIECE):
                self.channel.send(body[start : start + PIECE])
        except OSError:
            os.close(report)
            raise
        finally:
            os.close(status)
            self.channel.setblocking(False)
        return Start(report)

    def hear(self) -> None:
        try:
            message = self.channel.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        self.hears(message)


def _keep(channel: socket.socket, confine: kernel.Filter, uid: int, gid: int) -> None:
    """The keeper's whole life; it never returns into the agent's loop."""
    try:
        keep = channel.fileno()
        os.closerange(3, keep)  # 0 to 2 stay taken, so that what is received never lands on a standard stream
        os.closerange(keep + 1, 1 << 16)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, *IGNORED_BY_PYTHON):
            signal.signal(number, signal.SIG_DFL)
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        confine.apply()  # here, for all leaders to come: to compile it takes as long as all else that one has to do
        while True:
            leader = os.fork()
            if leader == 0:
                _lead(channel, uid, gid)
            _reap(channel, leader)
    except OSError as exc:  # the sandbox is full of processes, or the agent is gone
        _tell(channel, {"full": exc.errno})
    finally:
        os._exit(0)


def _reap(channel: socket.socket, leader: int) -> None:
    """Report the leader's end, then stay until nothing is left below."""
    utime, stime, peak = 0.0, 0.0, 0
    while True:
        try:
            pid, status, used = os.wait4(-1, 0)
        except ChildProcessError:
            _tell(channel, {"clear": True})
            return
        utime, stime, peak = utime + used.ru_utime, stime + used.ru_stime, max(peak, used.ru_maxrss)
        if pid == leader:
            more = _has_children()
            _tell(
                channel,
                {
                    "ended": status,
                    "leader": leader,
                    "utime": utime,
                    "stime": stime,
                    "maxrss_kb": peak,
                    "at": time.monotonic(),
                    "more": more,
                },
            )
            if not more:
                return


def _has_children() -> bool:
    """Whether the command left anything running: only then is it worth a walk through /proc."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _tell(channel: socket.socket, message: dict[str, object]) -> None:
    channel.send(json.dumps(message).encode())


def _lead(channel: socket.socket, uid: int, gid: int) -> None:
    """The leader's life until it is the command. Until then it is root's, out of reach of what runs as uid 1000."""
    try:
        kernel.prctl(
            kernel.PR_SET_PDEATHSIG, signal.SIGKILL
        )  # without its keeper it takes no plan; a new uid clears it
        failed = _prepare(gid)
        _warm_up()
        plan, streams, status, ruleset = _receive(channel)
        os.write(status, _TAKEN.pack(os.getpid()))
        failed = failed or _become(plan, streams, ruleset, uid)
        if failed is None:
            os.close(status)  # as an exec would
            os._exit(folder.main(*plan.argv))
        os.write(status, _FAILED.pack(*failed))
    finally:
        os._exit(127)


def _prepare(gid: int) -> tuple[int, int] | None:
    """What needs no plan. The step that failed and its errno."""
    step = 1
    try:
        os.setsid()
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.umask(0o022)
    except OSError as exc:
        return step, exc.errno or 0
    return None


def lower(confine: kernel.Filter, uid: int, gid: int, ruleset: int | None) -> None:
    """What a command is before its exec, for a fork that runs no program. Raises OSError."""
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    confine.apply()
    if failed := _prepare(gid):
        raise OSError(failed[1], STEPS[failed[0]])
    _be_the_first_to_go()
    os.nice(NICE)
    os.setresuid(uid, uid, uid)
    if ruleset is not None:
        kernel.call(kernel.syscall(kernel.SYS_LANDLOCK_RESTRICT, ruleset, 0), "landlock_restrict_self")


def _be_the_first_to_go() -> None:
    """Where memory ends. Not before there is a plan: what only waits would be killed for what another took."""
    score = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    os.write(score, OOM_SCORE)
    os.close(score)


def _warm_up() -> None:
    """Walk once through what comes between a plan and its exec: pages shared with the agent are copied now, not then."""
    plan = _read(json.dumps([["true"], {"PATH": os.defpath}, "/", False]).encode())
    with contextlib.suppress(FileNotFoundError):  # not every image has it
        _found(plan)
    for handle in range(3):
        os.dup2(handle, handle, inheritable=True)
    os.chdir(plan.cwd)
    os.nice(0)
    kernel.syscall(kernel.SYS_LANDLOCK_RESTRICT, -1, 0)


def _read(body: bytes) -> Plan:
    argv, env, cwd, ours = json.loads(body)
    return Plan(argv, env, cwd, ours=ours)


def _receive(channel: socket.socket) -> tuple[Plan, list[int], int, int | None]:
    # Not socket.recv_fds: it drops its flags, and the command would inherit every descriptor.
    room = socket.CMSG_SPACE(5 * _DESCRIPTOR.size)
    first, ancillary, _, _ = channel.recvmsg(_LENGTH.size + PIECE, room, socket.MSG_CMSG_CLOEXEC)
    handles = [handle for _, _, data in ancillary for (handle,) in _DESCRIPTOR.iter_unpack(data)]
    (wanted,), body = _LENGTH.unpack_from(first), first[_LENGTH.size :]
    while len(body) < wanted:
        body += channel.recv(PIECE)
    return _read(body), handles[:3], handles[3], handles[4] if len(handles) > 4 else None


def _become(plan: Plan, streams: list[int], ruleset: int | None, uid: int) -> tuple[int, int] | None:
    """The rest, and the exec. It comes back where that failed, with the step and its errno, or where there is none."""
    step = 0
    try:
        _be_the_first_to_go()
        step = 1
        for target, handle in enumerate(streams):
            os.dup2(handle, target, inheritable=True)
        os.nice(NICE)
        os.setresuid(uid, uid, uid)
        step = 2
        os.chdir(plan.cwd)
        step = 3
        if ruleset is not None:
            kernel.call(kernel.syscall(kernel.SYS_LANDLOCK_RESTRICT, ruleset, 0), "landlock_restrict_self")
        if plan.ours:
            return None
        step = 4
        os.execve(_found(plan), plan.argv, plan.env)  # noqa: S606 - running what was permitted is the point; no shell
    except OSError as exc:
        return step, exc.errno or 0
    except ValueError:  # a NUL in an argument
        return step, errno.EINVAL


def _found(plan: Plan) -> str:
    """The program as PATH has it. Looked for first: an exec that fails costs ten times a look."""
    name = plan.argv[0]
    if "/" in name:
        return name
    places = [f"{place or '.'}/{name}" for place in plan.env.get("PATH", os.defpath).split(":")]
    there = [place for place in places if os.path.isfile(place)]
    if not there:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    return next((place for place in there if os.access(place, os.X_OK)), there[0])
