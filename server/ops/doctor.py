"""`sandgate doctor`: what this machine can give a sandbox, one sentence a control, each lack with its consequence."""

import ctypes
import importlib.metadata
import os
import re
import resource
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from server.sandbox.engine import Engine, NoEngine, Unreachable, find_engine, get_json
from server.sandbox.image_build import BuildFailed, ImageMissing, ImageOutdated, require
from server.sandbox.image_recipe import seccomp_file

_LANDLOCK_CREATE_RULESET: Final = 444
_LANDLOCK_VERSION_FLAG: Final = 1
_LANDLOCK_REFER_ABI: Final = 2  # without REFER, mv and ln across directories fail
_LANDLOCK_SCOPE_ABI: Final = 6  # signals and abstract sockets stay inside a command's domain
_SOCKET_PATH_MAX: Final = 107
_INFO_S: Final = 10.0  # /info asks every plugin; measured 30 ms
_PINNED: Final = {"egress filter": "mitmproxy", "policy engine": "gordon-to-regorus", "shell parser": "shfmt-py"}


@dataclass(frozen=True, slots=True)
class Check:
    """`fail`: Sandgate does not work; `warn`: it works with a control missing."""

    name: str
    outcome: Literal["ok", "warn", "fail"]
    sentence: str


@dataclass(frozen=True, slots=True)
class Machine:
    """What the checks look at. `longest_socket` is the longest path of a socket that the server will bind;
    `open_files` is how many descriptors it may need at once."""

    environ: Mapping[str, str]
    home: Path
    state_dir: Path
    longest_socket: Path
    open_files: int
    images: tuple[str, ...] = ("base", "python")


def run(machine: Machine) -> list[Check]:
    """All checks in reading order; those that need the engine are left out where none answers."""
    checks = [*_host_checks(machine)]
    try:
        engine = find_engine(machine.environ, machine.home, machine.state_dir)
        info = get_json(engine.url, "/info", _INFO_S)
    except (NoEngine, Unreachable) as error:
        return [Check("engine", "fail", str(error)), *checks]
    found = Check("engine", "ok", f"Docker {engine.version} at {engine.url} ({engine.source}).")
    return [found, *engine_checks(engine, info), *_image_checks(engine, machine.images), *checks]


def engine_checks(
    engine: Engine, info: Mapping[str, Any], kernel: str = os.uname().release, mounts: Path = Path("/proc/self/mounts")
) -> Iterator[Check]:
    """What the engine's own /info says; `kernel` and `mounts` are this machine's."""
    shared = engine.kernel == kernel
    yield _same_kernel(engine, kernel)
    yield _cgroup(info)
    yield _seccomp(info)
    yield _user_namespace(info)
    yield _storage(info)
    yield _quota(info, mounts if shared else None)
    yield landlock(landlock_abi() if shared else None)


def landlock_abi() -> int:
    """The kernel's Landlock version, 0 where it has none."""
    libc = ctypes.CDLL(None, use_errno=True)
    return max(0, int(libc.syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), _LANDLOCK_VERSION_FLAG)))


def landlock(abi: int | None) -> Check:
    match abi:
        case None:
            return Check(
                "landlock", "warn", "Unknown: the engine runs on another kernel; the sandbox's agent will say."
            )
        case 0:
            return Check(
                "landlock",
                "warn",
                "This kernel has no Landlock: path rules bind tools and parsed commands, not scripts.",
            )
        case int() if abi < _LANDLOCK_REFER_ABI:
            return Check(
                "landlock", "warn", f"Landlock ABI {abi} cannot allow renames across folders, so it counts as absent."
            )
        case int() if abi < _LANDLOCK_SCOPE_ABI:
            return Check(
                "landlock", "warn", f"Landlock ABI {abi} holds paths, but signals are not kept within a command."
            )
        case _:
            return Check("landlock", "ok", f"Landlock ABI {abi}: paths and signals are held by the kernel.")


def _same_kernel(engine: Engine, kernel: str) -> Check:
    if engine.kernel == kernel:
        return Check("kernel", "ok", f"The engine shares this kernel ({kernel}).")
    sentence = f"The engine runs on {engine.kernel or 'an unknown kernel'}, not on this machine's {kernel}: "
    return Check("kernel", "warn", sentence + "run the server as a container beside the sandboxes.")


def _cgroup(info: Mapping[str, Any]) -> Check:
    version = info.get("CgroupVersion", "unknown")
    limits = {"memory": "MemoryLimit", "pids": "PidsLimit", "cpu": "CpuCfsQuota"}
    missing = [name for name, key in limits.items() if not info.get(key)]
    if missing:
        return Check("cgroup", "warn", f"Control groups v{version}; the engine cannot limit {', '.join(missing)}.")
    return Check("cgroup", "ok", f"Control groups v{version}; memory, process and CPU limits hold.")


def _seccomp(info: Mapping[str, Any]) -> Check:
    options = info.get("SecurityOptions") or []
    if not any("name=seccomp" in str(option) for option in options):
        return Check("seccomp", "warn", "The engine's kernel has no seccomp: every system call is open to a sandbox.")
    if not seccomp_file().is_file():
        return Check("seccomp", "fail", f"Our profile {seccomp_file()} is missing: install Sandgate again.")
    return Check("seccomp", "ok", f"Our profile {seccomp_file()} will be used.")


def _user_namespace(info: Mapping[str, Any]) -> Check:
    if not any("name=userns" in str(option) for option in info.get("SecurityOptions") or []):
        return Check("user namespace", "ok", "Root of a sandbox is the host's, without a capability (no userns-remap).")
    sentence = (
        "Root of a sandbox is nobody on the host (userns-remap). Folders lent as rw have another owner inside, and "
    )
    return Check("user namespace", "ok", sentence + "cannot be written: lend copies.")


def _storage(info: Mapping[str, Any]) -> Check:
    driver = info.get("Driver", "unknown")
    if driver == "vfs":
        return Check("storage", "warn", "Storage driver vfs copies the whole image for every sandbox: slow, and large.")
    return Check("storage", "ok", f"Storage driver {driver}.")


def _quota(info: Mapping[str, Any], mounts: Path | None) -> Check:
    backing = dict(info.get("DriverStatus") or []).get("Backing Filesystem", "")
    options = _mount_options(mounts, Path(str(info.get("DockerRootDir", "/")))) if mounts else set[str]()
    if info.get("Driver") == "overlay2" and backing == "xfs" and options & {"pquota", "prjquota"}:
        return Check("disk quota", "ok", "Each sandbox's disk is limited by the file system (XFS project quota).")
    sentence = (
        f"The engine cannot limit a sandbox's disk ({info.get('Driver')} on {backing or 'an unknown file system'}; "
    )
    return Check("disk quota", "warn", sentence + "XFS with pquota can): usage is watched and a reserve kept instead.")


def _mount_options(mounts: Path, folder: Path) -> set[str]:
    """The options of the file system that `folder` lies on: the longest mount point above it."""
    rows = [line.split() for line in mounts.read_text().splitlines()]
    above = [row for row in rows if folder.is_relative_to(row[1])]
    return set(max(above, key=lambda row: len(row[1]))[3].split(",")) if above else set()


def _image_checks(engine: Engine, images: tuple[str, ...]) -> Iterator[Check]:
    for image in images:
        try:
            require(engine.url, image)
            yield Check(f"image {image}", "ok", f"sandgate/{image} is there and current.")
        except (ImageMissing, ImageOutdated, BuildFailed) as error:
            yield Check(f"image {image}", "fail", str(error))


def _host_checks(machine: Machine) -> Iterator[Check]:
    yield _open_files(machine.open_files, resource.getrlimit(resource.RLIMIT_NOFILE))
    yield socket_path(machine.longest_socket)
    for name, package in _PINNED.items():
        yield _package(name, package)
    yield _shfmt(Path(sys.prefix) / "bin" / "shfmt")


def _open_files(needed: int, limits: tuple[int, int]) -> Check:
    soft, hard = limits
    if hard != resource.RLIM_INFINITY and hard < needed:
        return Check(
            "open files", "warn", f"At most {hard} open files are allowed, {needed} may be needed: raise `ulimit -Hn`."
        )
    return Check("open files", "ok", f"{needed} may be needed; the limit is {soft} and can be raised to {hard}.")


def socket_path(path: Path) -> Check:
    length = len(os.fsencode(path))
    if length > _SOCKET_PATH_MAX:
        sentence = (
            f"{path} has {length} bytes, a socket's path at most {_SOCKET_PATH_MAX}: choose a shorter runtime folder."
        )
        return Check("socket path", "fail", sentence)
    return Check("socket path", "ok", f"The longest socket path has {length} of {_SOCKET_PATH_MAX} bytes.")


def _package(name: str, package: str) -> Check:
    """Whether the version is the one that this release was tested with."""
    try:
        found = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return Check(name, "fail", f"{package} is not installed: install Sandgate again.")
    wanted = _pinned(package)
    if wanted and wanted != found:
        return Check(name, "warn", f"{package} {found} is installed; this version was tested with {wanted}.")
    return Check(name, "ok", f"{package} {found}.")


def _pinned(package: str) -> str:
    try:
        requirements = importlib.metadata.requires("sandgate") or []
    except importlib.metadata.PackageNotFoundError:
        return ""
    exact = (re.match(rf"{re.escape(package)}==([\w.]+)$", requirement) for requirement in requirements)
    return next((match[1] for match in exact if match), "")


def _shfmt(program: Path) -> Check:
    if os.access(program, os.X_OK):
        return Check("shfmt", "ok", f"{program}.")
    return Check("shfmt", "fail", f"{program} is missing or not executable: install Sandgate again.")
