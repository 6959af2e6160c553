"""The few kernel calls that Python does not offer, made through libc.

Everything here is prepared before a fork, so that the child only has to call.
"""

import contextlib
import ctypes
import os
import resource
import struct

LIBC = ctypes.CDLL(None, use_errno=True)

PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_CHILD_SUBREAPER, PR_SET_DUMPABLE, PR_SET_SECCOMP = 24, 38, 36, 4, 22
SECCOMP_MODE_FILTER = 2
CAPABILITIES = range(64)  # the kernel answers EINVAL past its last one
CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_SETPCAP = 5, 6, 7, 8


def call(result: int, what: str) -> int:
    """The result of a libc call, or the OSError it set."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def prctl(option: int, *args: int) -> int:
    padded = [ctypes.c_ulong(arg) for arg in (*args, 0, 0, 0, 0)[:4]]
    return LIBC.prctl(option, *padded)


def syscall(number: int, *args: object) -> int:
    return LIBC.syscall(ctypes.c_long(number), *args)


def dump_nothing() -> None:
    """No crash of ours or of a command's leaves a core dump. At 0 bytes a host that pipes them still starts its program for
    each, as root and within no limit of the sandbox; at 1 the kernel does not."""
    with contextlib.suppress(ValueError, OSError):  # the engine's own limit is lower
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))


# --- capabilities -----------------------------------------------------------------------------------------------------


def keep_capabilities(kept: tuple[int, ...], over_exec: tuple[int, ...]) -> None:
    """Keep only these as permitted and effective, and only those of them over an exec; the bounding set becomes empty."""
    first = (*kept, CAP_SETPCAP)  # which was given for this alone
    _set_capabilities(first, over_exec)  # now, for what is inherited has to be in the bounding set
    for capability in CAPABILITIES:
        if prctl(PR_CAPBSET_DROP, capability) < 0:
            break
    _set_capabilities(kept, over_exec)


def drop_capabilities() -> None:
    """All, and what an exec would pass on."""
    _set_capabilities((), ())


def _set_capabilities(kept: tuple[int, ...], over_exec: tuple[int, ...]) -> None:
    mask, inherited = (sum(1 << capability for capability in some) for some in (kept, over_exec))
    header = struct.pack("=Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    call(LIBC.capset(header, struct.pack("=6I", mask, mask, inherited, 0, 0, 0)), "capset")


# --- identity for file access -----------------------------------------------------------------------------------------


class AsUser:
    """While entered, file access is checked as this uid and gid; no fork and no thread is needed for that."""

    def __init__(self, uid: int, gid: int) -> None:
        self.uid, self.gid = uid, gid

    def __enter__(self) -> None:
        LIBC.setfsgid(self.gid)
        LIBC.setfsuid(self.uid)
        if LIBC.setfsuid(-1) != self.uid:  # setfsuid reports no errors: asking is the only check
            raise PermissionError("setfsuid was refused")

    def __exit__(self, *_: object) -> None:
        LIBC.setfsuid(0)
        LIBC.setfsgid(0)


# --- file systems ---------------------------------------------------------------------------------------------------------

_STATFS_BYTES = 256  # of struct statfs, generously: f_type is its first word on 64-bit machines


def file_system_type(handle: int) -> int:
    """The magic number of the file system that an open file lies on (statfs(2)). Raises OSError."""
    room = ctypes.create_string_buffer(_STATFS_BYTES)
    call(LIBC.fstatfs(handle, room), "fstatfs")
    (number,) = struct.unpack_from("=q", room)
    return int(number) & 0xFFFFFFFF


# --- openat2 ----------------------------------------------------------------------------------------------------------

SYS_OPENAT2 = 437  # the same number on every architecture, as all since 424
RESOLVE_NO_MAGICLINKS, RESOLVE_BENEATH = 0x02, 0x08


def openat2(dirfd: int, path: str, flags: int, resolve: int, mode: int = 0) -> int:
    how = struct.pack("=QQQ", flags | os.O_CLOEXEC, mode, resolve)
    return call(syscall(SYS_OPENAT2, dirfd, os.fsencode(path), how, len(how)), path)


# --- Landlock ---------------------------------------------------------------------------------------------------------

SYS_LANDLOCK_CREATE, SYS_LANDLOCK_ADD, SYS_LANDLOCK_RESTRICT = 444, 445, 446
RULE_PATH_BENEATH = 1
MIN_ABI = 2  # below it rename and link across directories are always refused: counted as absent
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
CHANGE_DIRECTORIES = sum(1 << bit for bit in range(4, 13))  # remove and make, every kind
ALL_WRITES = WRITE_FILE | CHANGE_DIRECTORIES | REFER | TRUNCATE | IOCTL_DEV
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
SCOPE_ABSTRACT_SOCKETS, SCOPE_SIGNALS = 1, 2


def landlock_abi() -> int:
    """The kernel's Landlock version, 0 where it has none or one that cannot hold what is promised."""
    abi = syscall(SYS_LANDLOCK_CREATE, None, 0, 1)
    return abi if abi >= MIN_ABI else 0


class Access:
    """Allow-only sets of absolute paths. No dataclass in the agent: importing that takes 8 ms and 3 MB of each sandbox."""

    __slots__ = ("execute", "read", "write")

    def __init__(self, read: list[str], write: list[str], execute: list[str]) -> None:
        self.read, self.write, self.execute = read, write, execute

    def identity(self) -> tuple[object, ...]:
        """Equal where a ruleset would be: a rule is about what lay at a path when it was made, not about the path."""
        sets = (self.read, self.write, self.execute)
        return tuple((path, _lies_at(path)) for paths in sets for path in ("", *paths))


def _lies_at(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def landlock_ruleset(access: Access, abi: int) -> int:
    """A descriptor of the ruleset; paths that do not exist are left out, which allows less."""
    handled = EXECUTE | READ_FILE | READ_DIR | WRITE_FILE | CHANGE_DIRECTORIES | REFER
    handled |= (TRUNCATE if abi >= 3 else 0) | (IOCTL_DEV if abi >= 5 else 0)
    scoped = SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS if abi >= 6 else 0
    attributes = struct.pack("=QQQ", handled, 0, scoped)[: 24 if abi >= 6 else 16 if abi >= 4 else 8]
    ruleset = call(syscall(SYS_LANDLOCK_CREATE, attributes, len(attributes), 0), "landlock_create_ruleset")
    rights: dict[str, int] = {}
    for paths, right in ((access.read, READ_FILE | READ_DIR), (access.write, ALL_WRITES), (access.execute, EXECUTE)):
        for path in paths:
            rights[path] = rights.get(path, 0) | right
    for path, right in rights.items():
        _allow_beneath(ruleset, path, right & handled)
    return ruleset


def _allow_beneath(ruleset: int, path: str, right: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    try:
        right = right if os.path.isdir(f"/proc/self/fd/{handle}") else right & OF_FILES
        call(syscall(SYS_LANDLOCK_ADD, ruleset, RULE_PATH_BENEATH, struct.pack("=Qi", right, handle), 0), path)
    finally:
        os.close(handle)


# --- seccomp: what commands may not do on top of the container's own profile ---------------------------------------------

_NUMBERS = {
    # name: (x86_64, aarch64); -1 where the architecture has no such call
    "open": (2, -1),
    "creat": (85, -1),
    "chmod": (90, -1),
    "mknod": (133, -1),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "openat": (257, 56),
    "mknodat": (259, 33),
    "ioctl": (16, 29),
    "prlimit64": (302, 261),
    "setrlimit": (160, 164),
}
_PROJECT_OF_A_FILE = (0x401C5820, 0x40086602)  # FS_IOC_FSSETXATTR, FS_IOC_SETFLAGS
_MODE_ARGUMENT = {
    "open": 2,
    "creat": 1,
    "chmod": 1,
    "mknod": 1,
    "fchmod": 1,
    "fchmodat": 2,
    "fchmodat2": 2,
    "openat": 3,
    "mknodat": 2,
}
_FLAGS_ARGUMENT = {
    "open": 1,
    "openat": 2,
}  # without O_CREAT or O_TMPFILE the mode is not looked at, and may be anything
_CREATES = 0o100 | 0o20000000  # O_CREAT | __O_TMPFILE, the same on both architectures
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SET_ID_BITS = 0o6000
_LOAD, _EQUAL, _ANY_BIT, _AT_LEAST, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_DONE, _EPERM, _ENOSYS = 0, 1, 38
_X32 = 0x40000000


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def set_id_filter() -> bytes:
    """BPF: no call may give a file a setuid or setgid bit; openat2 hides its mode behind a pointer, so it is absent.

    So are rulesets of a command's own: a rule keeps its file, without a name and where nobody who weighs disks sees it.
    And a file stays in the project that the disk's quota counts: its owner could move it to another, or to none.
    And nobody limits another process: no time of the processor at all is as good as a signal, which Landlock keeps within
    a command, and it looks at no limits. Nor does one change its own limit of core dumps, see `dump_nothing`: it is told that
    it did, for what keeps secrets, as gpg does, ends where it cannot turn them off.
    """
    machine = os.uname().machine
    column = list(_AUDIT_ARCH).index(machine)
    program = [
        _instruction(_LOAD, 4),
        _instruction(_EQUAL, _AUDIT_ARCH[machine], 1, 0),
        _instruction(_RETURN, _KILL),
        _instruction(_LOAD, 0),
        _instruction(_AT_LEAST, _X32, 0, 1),
        _instruction(_RETURN, _ERRNO | _ENOSYS),
    ]
    for absent in (SYS_OPENAT2, SYS_LANDLOCK_CREATE, SYS_LANDLOCK_ADD):
        program += [_instruction(_EQUAL, absent, 0, 1), _instruction(_RETURN, _ERRNO | _ENOSYS)]
    for name, argument in _MODE_ARGUMENT.items():
        if _NUMBERS[name][column] >= 0:
            checks = _refuse_set_id(argument, _FLAGS_ARGUMENT.get(name))
            program += [_instruction(_EQUAL, _NUMBERS[name][column], 0, len(checks)), *checks]
    checks = _refuse_requests(_PROJECT_OF_A_FILE)
    program += [_instruction(_EQUAL, _NUMBERS["ioctl"][column], 0, len(checks)), *checks]
    for name, checks in (("prlimit64", _OWN_LIMITS), ("setrlimit", _NO_CORE)):
        program += [_instruction(_EQUAL, _NUMBERS[name][column], 0, len(checks)), *checks]
    return b"".join([*program, _instruction(_RETURN, _ALLOW)])


def _refuse_requests(requests: tuple[int, ...]) -> list[bytes]:
    refused = [_instruction(_EQUAL, request, len(requests) - place, 0) for place, request in enumerate(requests)]
    return [
        _instruction(_LOAD, 16 + 8),  # the kernel looks at no more of it than these 32 bits
        *refused,
        _instruction(_RETURN, _ALLOW),
        _instruction(_RETURN, _ERRNO | _EPERM),
    ]


def _refuse_set_id(mode_argument: int, flags_argument: int | None) -> list[bytes]:
    checks = [
        _instruction(_LOAD, 16 + 8 * mode_argument),
        _instruction(_ANY_BIT, _SET_ID_BITS, 0, 1),
        _instruction(_RETURN, _ERRNO | _EPERM),
        _instruction(_RETURN, _ALLOW),
    ]
    if flags_argument is None:
        return checks
    creates = [_instruction(_LOAD, 16 + 8 * flags_argument), _instruction(_ANY_BIT, _CREATES, 1, 0)]
    return [*creates, _instruction(_RETURN, _ALLOW), *checks]


_OWN_LIMITS = [
    _instruction(_LOAD, 16),
    _instruction(_EQUAL, 0, 0, 2),  # of the caller
    _instruction(_LOAD, 24),
    _instruction(_EQUAL, resource.RLIMIT_CORE, 0, 10),
    _instruction(_LOAD, 32),
    _instruction(_EQUAL, 0, 0, 2),
    _instruction(_LOAD, 36),
    _instruction(_EQUAL, 0, 6, 0),  # no new one: only asked
    _instruction(_LOAD, 16),
    _instruction(_EQUAL, 0, 0, 3),
    _instruction(_LOAD, 40),
    _instruction(_EQUAL, 0, 0, 1),  # nor is the old one asked for
    _instruction(_RETURN, _ERRNO | _DONE),
    _instruction(_RETURN, _ERRNO | _EPERM),
    _instruction(_RETURN, _ALLOW),
]
_NO_CORE = [
    _instruction(_LOAD, 16),
    _instruction(_EQUAL, resource.RLIMIT_CORE, 0, 1),
    _instruction(_RETURN, _ERRNO | _DONE),
    _instruction(_RETURN, _ALLOW),
]


class Filter:
    """A BPF program laid out for the kernel; kept alive by this object."""

    def __init__(self, program: bytes) -> None:
        self._code = ctypes.create_string_buffer(program, len(program))
        head = struct.pack("@HP", len(program) // 8, ctypes.addressof(self._code))
        self._fprog = ctypes.create_string_buffer(head, len(head))

    def apply(self) -> None:
        call(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(self._fprog)), "seccomp")
