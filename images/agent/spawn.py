"""Starting a command: a keeper per job, forked ahead, that starts it as uid 1000 and outlives every trick of its children.

The keeper runs under the agent's uid, so a command can neither signal nor trace it, and it is a subreaper, so whatever
its command leaves behind by double forks or setsid stays below it in the process tree, where the agent finds it.
"""

import json
import os
import resource
import signal
import socket
import struct
import time

import kernel

EXEC_PATIENCE_S = 2.0  # a child that uid 1000 stopped before its exec is given up after this
NICE = 19  # 150 busy loops moved a call's p50 from 1.8 to 6 ms at 19, to 485 ms at 0 (measured)
OOM_SCORE = b"500"  # unmapped memfds charge the cgroup, not a process: without it the killer may take PID 1
_STATUS = struct.Struct(">ii")  # which step failed, its errno
STEPS = ("oom score", "identity", "working directory", "landlock", "seccomp", "exec")


class Plan:
    """What a keeper is told: exactly this argv, with this environment, in this directory, as this user."""

    __slots__ = ("argv", "cwd", "env", "gid", "uid")

    def __init__(self, argv: list[str], env: dict[str, str], cwd: str, uid: int, gid: int) -> None:
        self.argv, self.env, self.cwd, self.uid, self.gid = argv, env, cwd, uid, gid


class Keeper:
    """The agent's end of a keeper that is waiting for its plan."""

    def __init__(self, confine: kernel.Filter) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid == 0:
            _keep(theirs, confine)
        theirs.close()
        ours.setblocking(False)
        self.channel = ours

    def start(self, plan: Plan, stdin: int, stdout: int, stderr: int, ruleset: int | None) -> None:
        """Hand the plan and its descriptors over; what happens is then told on `channel`."""
        body = json.dumps([plan.argv, plan.env, plan.cwd, plan.uid, plan.gid]).encode()
        length = struct.pack(">I", len(body))
        handles = [stdin, stdout, stderr, *([] if ruleset is None else [ruleset])]
        self.channel.setblocking(True)
        socket.send_fds(self.channel, [length], handles)
        for start in range(0, len(body), 1 << 16):
            self.channel.send(body[start : start + (1 << 16)])
        self.channel.setblocking(False)


def _keep(channel: socket.socket, confine: kernel.Filter) -> None:
    """The keeper's whole life; it never returns into the agent's loop."""
    try:
        keep = channel.fileno()
        os.closerange(3, keep)  # 0 to 2 stay taken, so that what is received never lands on a standard stream
        os.closerange(keep + 1, 1 << 16)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        _run(channel, confine)
    finally:
        os._exit(0)


def _run(channel: socket.socket, confine: kernel.Filter) -> None:
    length, handles, _, _ = socket.recv_fds(channel, 4, 4)
    if not length:
        return
    wanted, body = struct.unpack(">I", length)[0], b""
    while len(body) < wanted:
        body += channel.recv(1 << 16)
    plan = Plan(*json.loads(body))
    ruleset = handles[3] if len(handles) > 3 else None
    report, status = os.pipe2(os.O_CLOEXEC)
    began = time.monotonic()
    try:
        leader = os.fork()
    except OSError as exc:  # the sandbox is full of processes
        _tell(channel, {"failed": "fork", "errno": exc.errno})
        return
    if leader == 0:
        os.close(report)
        _become(plan, handles[:3], ruleset, confine, status)
    for handle in (status, *handles):
        os.close(handle)
    failure = os.read(report, _STATUS.size)  # ends with the exec, or with the child
    os.close(report)
    if failure:
        step, number = _STATUS.unpack(failure)
        _tell(channel, {"failed": STEPS[step], "errno": number})
    else:
        _tell(channel, {"running": leader})
    _reap(channel, leader, began)


def _reap(channel: socket.socket, leader: int, began: float) -> None:
    """Report the leader's end, then stay until nothing is left below."""
    while True:
        try:
            pid, status = os.waitpid(-1, 0)
        except ChildProcessError:
            return
        if pid == leader:
            usage = resource.getrusage(resource.RUSAGE_CHILDREN)  # the leader, and all that ended before it
            _tell(
                channel,
                {
                    "ended": status,
                    "utime": usage.ru_utime,
                    "stime": usage.ru_stime,
                    "maxrss_kb": usage.ru_maxrss,
                    "duration_ms": (time.monotonic() - began) * 1000,
                    "more": _has_children(),
                },
            )


def _has_children() -> bool:
    """Whether the command left anything running: only then is it worth a walk through /proc."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _tell(channel: socket.socket, message: dict[str, object]) -> None:
    channel.send(json.dumps(message).encode())


def _become(plan: Plan, streams: list[int], ruleset: int | None, confine: kernel.Filter, status: int) -> None:
    """The child between fork and exec; a step that fails is told through `status`, and the child is gone."""
    step = 0
    try:
        os.setsid()
        os.nice(NICE)
        score = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(score, OOM_SCORE)
        os.close(score)
        step = 1
        for target, handle in enumerate(streams):
            os.dup2(handle, target, inheritable=True)
        os.setgroups([])
        os.setresgid(plan.gid, plan.gid, plan.gid)
        os.setresuid(plan.uid, plan.uid, plan.uid)
        os.umask(0o022)
        step = 2
        os.chdir(plan.cwd)
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        step = 3
        if ruleset is not None:
            kernel.call(kernel.syscall(kernel.SYS_LANDLOCK_RESTRICT, ruleset, 0), "landlock_restrict_self")
        step = 4
        confine.apply()
        step = 5
        os.closerange(3, status)
        os.closerange(status + 1, 1 << 16)
        os.execvpe(plan.argv[0], plan.argv, plan.env)  # noqa: S606 - running what was permitted is the point; no shell
    except OSError as exc:
        os.write(status, _STATUS.pack(step, exc.errno or 0))
    finally:
        os._exit(127)
