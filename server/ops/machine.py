"""What this machine and its engine say of themselves: one sentence a control, each lack with what to do about it."""

import ctypes
import errno
import importlib.metadata
import os
import re
import resource
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from server.judge.shfmt import ParserMissing, locate
from server.ops.check import Check, fail, ok, warn
from server.sandbox.engine import Engine, uncounted
from server.sandbox.image_build import BuildFailed, ImageMissing, ImageOutdated, require
from server.sandbox.image_recipe import seccomp_file

_LANDLOCK_CREATE_RULESET: Final = 444
_LANDLOCK_VERSION_FLAG: Final = 1
_LANDLOCK_REFER_ABI: Final = 2  # without REFER, mv and ln across directories fail
_LANDLOCK_SCOPE_ABI: Final = 6  # signals and abstract sockets stay inside a command's domain
_OPENAT2: Final = 437
_SOCKET_PATH_MAX: Final = 107
_PINNED: Final = {"mitmproxy": "mitmproxy", "regorus": "gordon-to-regorus", "shfmt_py": "shfmt-py"}
_AGAIN: Final = "Install Sandgate again."


@dataclass(frozen=True, slots=True)
class Machine:
    """`longest_socket` is the longest path of a socket that the server will bind; `open_files` is how many descriptors it
    may need at once."""

    longest_socket: Path
    open_files: int


def engine_checks(
    engine: Engine, info: Mapping[str, Any], kernel: str = os.uname().release, mounts: Path = Path("/proc/self/mounts")
) -> Iterator[Check]:
    """What the engine's own /info says; `kernel` and `mounts` are this machine's."""
    shared = engine.kernel == kernel
    yield ok("engine", f"Docker {engine.version} at {engine.url} ({engine.source}).")
    yield _same_kernel(engine, kernel)
    yield _cgroup(info)
    yield _seccomp(info)
    yield _user_namespace(info)
    yield _storage(info)
    yield _quota(info, mounts if shared else None)
    yield landlock(landlock_abi() if shared else None)
    if shared:
        yield openat2(has_openat2())


def image_checks(engine: Engine, images: tuple[str, ...]) -> Iterator[Check]:
    for image in images:
        try:
            require(engine.url, image)
            yield ok(f"image_{image}", f"sandgate/{image} is there and current.")
        except (ImageMissing, ImageOutdated, BuildFailed) as error:
            yield fail(
                f"image_{image}", str(error).partition("; run:")[0].rstrip(".") + ".", "Run `sandgate images build`."
            )


def host_checks(machine: Machine) -> Iterator[Check]:
    yield open_files(machine.open_files, resource.getrlimit(resource.RLIMIT_NOFILE))
    yield socket_path(machine.longest_socket)
    for name, package in _PINNED.items():
        yield pinned(name, package)
    yield _shfmt()


def landlock_abi() -> int:
    """The kernel's Landlock version, 0 where it has none."""
    libc = ctypes.CDLL(None, use_errno=True)
    return max(0, int(libc.syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), _LANDLOCK_VERSION_FLAG)))


def landlock(abi: int | None) -> Check:
    newer = "Boot a kernel with Landlock on (Linux 6.12 or later for all of it; `lsm=landlock,...` where it is off)."
    match abi:
        case None:
            return warn(
                "landlock",
                "Unknown: the engine runs on another kernel.",
                "What a sandbox's own agent says of it stands below (held_landlock).",
            )
        case 0:
            return warn(
                "landlock",
                "This kernel has no Landlock: path rules bind tools and parsed commands, not scripts.",
                newer,
            )
        case int() if abi < _LANDLOCK_REFER_ABI:
            return warn(
                "landlock", f"Landlock ABI {abi} cannot allow renames across folders, so it counts as absent.", newer
            )
        case int() if abi < _LANDLOCK_SCOPE_ABI:
            return warn(
                "landlock", f"Landlock ABI {abi} holds paths, but signals are not kept within a command.", newer
            )
        case _:
            return ok("landlock", f"Landlock ABI {abi}: paths and signals are held by the kernel.")


def has_openat2() -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall(_OPENAT2, -1, None, None, ctypes.c_size_t(0))  # no size of its structure: EINVAL where it is known
    return ctypes.get_errno() != errno.ENOSYS


def openat2(there: bool) -> Check:  # noqa: FBT001 - the one thing that is asked
    if there:
        return ok("openat2", "Files are opened without following links (openat2).")
    return fail("openat2", "This kernel has no openat2: file tools refuse.", "Boot Linux 5.6 or later.")


def _same_kernel(engine: Engine, kernel: str) -> Check:
    if engine.kernel == kernel:
        return ok("kernel", f"The engine shares this kernel ({kernel}).")
    return warn(
        "kernel",
        f"The engine runs on {engine.kernel or 'an unknown kernel'}, not on this machine's {kernel}.",
        "Run the server as a container beside the sandboxes: examples/compose, or `sandgate install CLIENT --container`.",
    )


def _cgroup(info: Mapping[str, Any]) -> Check:
    version = info.get("CgroupVersion", "unknown")
    limits = {"memory": "MemoryLimit", "swap": "SwapLimit", "pids": "PidsLimit", "cpu": "CpuCfsQuota"}
    missing = [name for name, key in limits.items() if not info.get(key)]
    if missing:
        return warn(
            "cgroup",
            f"Control groups v{version}; the engine cannot limit {', '.join(missing)}.",
            "Turn these controllers on (kernel command line: cgroup_enable=memory swapaccount=1), or start Docker as root.",
        )
    if sentence := next(uncounted(info), ""):
        return warn("cgroup", sentence, "Boot with control groups v2, as every distribution does since 2022.")
    return ok("cgroup", f"Control groups v{version}; the engine can limit memory, swap, processes and CPU.")


def _seccomp(info: Mapping[str, Any]) -> Check:
    options = info.get("SecurityOptions") or []
    if not any("name=seccomp" in str(option) for option in options):
        return warn(
            "seccomp",
            "The engine's kernel has no seccomp: every system call is open to a sandbox.",
            "Use a kernel with CONFIG_SECCOMP_FILTER, as every distribution's is.",
        )
    if not seccomp_file().is_file():
        return fail("seccomp", f"Our profile {seccomp_file()} is missing.", _AGAIN)
    return ok("seccomp", f"Our profile {seccomp_file()} will be used.")


def _user_namespace(info: Mapping[str, Any]) -> Check:
    if not any("name=userns" in str(option) for option in info.get("SecurityOptions") or []):
        return ok("user_namespace", "Root of a sandbox is the host's, without a capability (no userns-remap).")
    return ok(
        "user_namespace",
        "Root of a sandbox is nobody on the host (userns-remap). Folders lent as rw have another owner inside and cannot be "
        "written: lend copies.",
    )


def _storage(info: Mapping[str, Any]) -> Check:
    driver = info.get("Driver", "unknown")
    if driver == "vfs":
        return warn(
            "storage",
            "Storage driver vfs copies the whole image for every sandbox: slow, and large.",
            "Give the engine a folder on ext4 or XFS, where it can use overlay2.",
        )
    return ok("storage", f"Storage driver {driver}.")


def _quota(info: Mapping[str, Any], mounts: Path | None) -> Check:
    status = dict(info.get("DriverStatus") or [])
    backing = status.get("Backing Filesystem", "")
    options = _mount_options(mounts, Path(str(info.get("DockerRootDir", "/")))) if mounts else set[str]()
    if info.get("Driver") == "overlay2" and backing == "xfs" and options & {"pquota", "prjquota"}:
        return ok("disk_quota", "Each sandbox's disk is limited by the file system (XFS project quota).")
    containerd = "driver-type" in status
    where = "with containerd's image store" if containerd else f"on {backing or 'an unknown file system'}"
    first = 'set "features": {"containerd-snapshotter": false} in its daemon.json and ' if containerd else ""
    return warn(
        "disk_quota",
        f"The engine cannot limit a sandbox's disk ({info.get('Driver')} {where}): "
        "what each one holds is weighed instead, as room changes and every 10 s while commands run, and a reserve is kept.",
        f"For a limit that holds to the byte, {first}keep the engine's data on XFS mounted with pquota.",
    )


def _mount_options(mounts: Path, folder: Path) -> set[str]:
    """The options of the file system that `folder` lies on: the longest mount point above it."""
    rows = [line.split() for line in mounts.read_text().splitlines()]
    above = [row for row in rows if folder.is_relative_to(row[1])]
    return set(max(above, key=lambda row: len(row[1]))[3].split(",")) if above else set()


def open_files(needed: int, limits: tuple[int, int]) -> Check:
    soft, hard = limits
    if hard != resource.RLIM_INFINITY and hard < needed:
        return warn(
            "open_files", f"At most {hard} open files are allowed, {needed} may be needed.", "Raise `ulimit -Hn`."
        )
    return ok("open_files", f"{needed} may be needed; the limit is {soft} and can be raised to {hard}.")


def socket_path(path: Path) -> Check:
    length = len(os.fsencode(path))
    if length > _SOCKET_PATH_MAX:
        sentence = f"{path} has {length} bytes, a socket's path at most {_SOCKET_PATH_MAX}."
        return fail("socket_path", sentence, "Set SANDGATE_RUNTIME_DIR to a shorter folder.")
    return ok("socket_path", f"The longest socket path has {length} of {_SOCKET_PATH_MAX} bytes.")


def pinned(name: str, package: str) -> Check:
    """Whether the version is the one that this release was tested with."""
    try:
        found = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return fail(name, f"{package} is not installed.", _AGAIN)
    wanted = _pinned(package)
    if wanted and wanted != found:
        return warn(name, f"{package} {found} is installed; this version was tested with {wanted}.", _AGAIN)
    return ok(name, f"{package} {found}.")


def _pinned(package: str) -> str:
    try:
        requirements = importlib.metadata.requires("sandgate") or []
    except importlib.metadata.PackageNotFoundError:
        return ""
    exact = (re.match(rf"{re.escape(package)}==([\w.]+)$", requirement) for requirement in requirements)
    return next((match[1] for match in exact if match), "")


def _shfmt() -> Check:
    try:
        return ok("shfmt", f"{locate()}.")
    except ParserMissing as error:
        return fail("shfmt", f"{error}.", _AGAIN)
