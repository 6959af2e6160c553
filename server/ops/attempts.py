"""What `sandgate doctor` runs inside a sandbox: it tries to break each control and says what it could do.

Read as a file and run by the sandbox's own Python, so it imports nothing of ours. Each attempt is harmless where it
succeeds: a probe, or undone at once. Prints one JSON object: attempt -> what was possible, "" where it held.
"""

import ctypes
import errno
import json
import os
import platform
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE, PTRACE_DETACH = 0x4206, 17
CLONE_NEWUSER, MS_BIND, MNT_DETACH = 0x10000000, 4096, 2
OUTSIDE = ("/etc", "/usr/bin", "/opt", "/root", "/var/lib", "/run", "/sys/fs/cgroup", "/opt/sandgate", "/run/sandgate")
SWITCHES = ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/sys/kernel/uevent_helper")
ENGINES = ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock")
DEVICES = ("/dev/mem", "/dev/kmsg", "/dev/kvm", "/dev/fuse", "/dev/net/tun")
# Calls that reach far into a kernel, by number on x86_64 and on arm64. Without arguments that make sense, one that is let
# through fails as EINVAL, EFAULT or EBADF.
CALLS = {
    "add_key": (248, 217),
    "bpf": (321, 280),
    "finit_module": (313, 273),
    "io_uring_setup": (425, 425),
    "kexec_load": (246, 104),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
}
NOT_LET_THROUGH = (errno.EPERM, errno.EACCES, errno.ENOSYS)


def root() -> Iterator[str]:
    if 0 in (os.getuid(), os.geteuid()):
        yield "commands run as root"
    elif _does(lambda: os.setuid(0)):
        yield "a command became root"


def capabilities() -> Iterator[str]:
    status = _status()
    held = [name for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb") if int(status[name], 16)]
    if held:
        yield f"{', '.join(held)} are not empty"


def setuid() -> Iterator[str]:
    if _status()["NoNewPrivs"] != "1":
        yield "no_new_privs is off"
    with _own_file() as path:
        if _does(lambda: path.chmod(0o4755)) and path.stat().st_mode & stat.S_ISUID:
            yield "a file could be made setuid"


def seccomp() -> Iterator[str]:
    if _status()["Seccomp"] != "2":
        yield "no filter of system calls is on"
    column = 1 if platform.machine() == "aarch64" else 0
    open_calls = [name for name, numbers in CALLS.items() if _let_through(numbers[column])]
    if open_calls:
        yield f"the kernel answers {', '.join(open_calls)}"


def interfaces() -> Iterator[str]:
    names = [name for _, name in socket.if_nameindex() if name != "lo"]
    if names:
        yield f"there are interfaces: {', '.join(names)}"


def network() -> Iterator[str]:
    """A UDP socket sends nothing when it connects: it only asks for a way there."""
    for family, address in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        if _does(partial(_connects, family, address)):
            yield f"there is a way to {address} past the gate"
    for name in ("AF_PACKET", "AF_VSOCK"):
        if _does(partial(_makes, getattr(socket, name))):
            yield f"{name} sockets can be made"


def files() -> Iterator[str]:
    written = [folder for folder in OUTSIDE if _does(partial(_writes, folder))]
    written += [path for path in SWITCHES if _does(partial(_opens, path, os.O_WRONLY))]
    if written:
        yield f"could be written: {', '.join(written)}"


def landlock() -> Iterator[str]:
    """Only this command's own rules keep it out of a folder that is everybody's."""
    if _does(lambda: _writes("/tmp")):  # noqa: S108 - the sandbox's
        yield "a folder outside the command's own could be written"


def agent() -> Iterator[str]:
    if os.getpid() == 1:
        yield "a command is PID 1"
        return
    if _does(lambda: os.kill(1, 0)):
        yield "the agent takes signals"
    if LIBC.ptrace(PTRACE_SEIZE, 1, None, None) == 0:
        LIBC.ptrace(PTRACE_DETACH, 1, None, None)
        yield "the agent can be traced"
    seen = [name for name in ("environ", "mem", "root") if _does(partial(_looks, f"/proc/1/{name}"))]
    if seen:
        yield f"the agent's {', '.join(seen)} can be read"


def mounts() -> Iterator[str]:
    with _own_file() as path:
        if LIBC.mount(str(path).encode(), str(path).encode(), None, MS_BIND, None) == 0:
            LIBC.umount2(str(path).encode(), MNT_DETACH)
            yield "mount works"
    child = os.fork()
    if child == 0:
        os._exit(0 if LIBC.unshare(CLONE_NEWUSER) == 0 else 1)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        yield "a user namespace of one's own can be made"


def devices() -> Iterator[str]:
    opened = [path for path in DEVICES if _does(partial(_opens, path, os.O_RDONLY))]
    if opened:
        yield f"could be opened: {', '.join(opened)}"
    with _own_file() as path:
        node = path.with_suffix(".node")
        if _does(lambda: os.mknod(node, stat.S_IFBLK | 0o600, os.makedev(7, 0))):
            node.unlink()
            yield "a device could be made"


def engine() -> Iterator[str]:
    there = [path for path in ENGINES if Path(path).exists()]
    if there:
        yield f"an engine's socket is inside: {', '.join(there)}"


def host() -> Iterator[str]:
    """`argv[1:]` are the host's own namespaces, where they are known: pid:[1] mnt:[2] ..."""
    kinds = ("pid", "mnt", "net", "ipc", "uts")
    shared = [kind for kind in kinds if str(Path(f"/proc/self/ns/{kind}").readlink()) in sys.argv[1:]]
    if shared:
        yield f"namespaces of the host: {', '.join(shared)}"


ATTEMPTS = (
    root,
    capabilities,
    setuid,
    seccomp,
    interfaces,
    network,
    files,
    landlock,
    agent,
    mounts,
    devices,
    engine,
    host,
)


def _does(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True


def _status() -> dict[str, str]:
    rows = (line.partition(":") for line in Path("/proc/self/status").read_text().splitlines())
    return {name: value.strip() for name, _, value in rows}


def _let_through(number: int) -> bool:
    ctypes.set_errno(0)
    return LIBC.syscall(number, -1, 0, -1, 0, 0) == -1 and ctypes.get_errno() not in NOT_LET_THROUGH


def _connects(family: socket.AddressFamily, address: str) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.connect((address, 53))


def _makes(family: socket.AddressFamily) -> None:
    socket.socket(family, socket.SOCK_DGRAM).close()


def _opens(path: str, flags: int) -> None:
    os.close(os.open(path, flags))


def _writes(folder: str) -> None:
    path = Path(folder) / ".sandgate-doctor"
    path.touch()
    path.unlink()


def _looks(path: str) -> None:
    if Path(path).is_dir():
        next(Path(path).iterdir())
    else:
        _opens(path, os.O_RDONLY)


@contextmanager
def _own_file() -> Iterator[Path]:
    path = Path.cwd() / ".sandgate-doctor-own"
    path.touch(0o700)
    try:
        yield path
    finally:
        with suppress(OSError):
            path.unlink()


if __name__ == "__main__":
    print(json.dumps({attempt.__name__: "; ".join(attempt()) for attempt in ATTEMPTS}))
