"""Opening a path as a handle: links followed but no magic ones, nothing blocked on, and what it really is, told.

A handle holds the file and the folder that has it, so that what was judged is what is then read, or replaced.
"""

import errno
import os
import stat
import time

import kernel

TYPE_CHECKING = False
if TYPE_CHECKING:  # as in loop.py
    import writing

HANDLE_LIFE_S = 30.0
MAX_LINKS = 40  # what the kernel itself follows
AT_FDCWD = -100
NOT_WRITTEN = ("/proc", "/sys", "/dev")  # nothing in or below these is written by a file tool, whatever lies there
# From linux/magic.h: file systems whose files are the kernel's words and switches. Several act on whoever opens them.
KERNEL_FILE_SYSTEMS = frozenset(
    {
        0x9FA0,  # proc
        0x62656572,  # sysfs
        0x27E0EB,  # cgroup
        0x63677270,  # cgroup2
        0x64626720,  # debugfs
        0x74726163,  # tracefs
        0x73636673,  # securityfs
        0x62656570,  # configfs
        0xCAFE4A11,  # bpf
        0x1CD1,  # devpts
        0x19800202,  # mqueue
        0x6165676C,  # pstore
        0xDE5E81E4,  # efivarfs
        0x42494E4D,  # binfmt_misc
        0x6E736673,  # nsfs
        0xF97CFF8C,  # selinuxfs
        0x43415D53,  # smackfs
        0x65735543,  # fusectl
        0x07655821,  # resctrl
        0x67596969,  # rpc_pipefs
    }
)


class Refused(Exception):
    """A file request cannot be served; the sentence says why, `number` where it is one that can be told apart."""

    def __init__(self, reason: str, number: int = 0) -> None:
        super().__init__(reason)
        self.number = number


class Handle:
    """What was opened: `directory` and `name` say where a write goes, `file` is -1 where nothing exists yet.

    `seen` is what the file was when it was read: an edit replaces that and nothing else. `beside` is what becomes it.
    """

    __slots__ = ("beside", "directory", "file", "name", "real", "seen", "until")

    def __init__(self, file: int, directory: int, name: str, real: str) -> None:
        self.file, self.directory, self.name, self.real = file, directory, name, real
        self.seen: os.stat_result | None = None
        self.beside: writing.Beside | None = None
        self.until = time.monotonic() + HANDLE_LIFE_S

    def close(self) -> None:
        """As the user where something may wait beside the file: that goes too."""
        if self.beside is not None:
            self.beside.close()
        for handle in (self.file, self.directory):
            if handle >= 0:
                os.close(handle)


def open_target(path: str) -> Handle:
    """Walk to the file itself. A missing last part, or a dangling link to one, resolves to where it would be made."""
    for _ in range(MAX_LINKS):
        try:
            found = _with_directory(_open(path))
            if found is not None:
                return found
        except FileNotFoundError:
            parent, name = _nearest(path)
            try:
                where = os.readlink(f"/proc/self/fd/{parent}")
                link = _link(name, parent)
                if link is None:
                    return Handle(-1, os.dup(parent), name, os.path.join(where, name))
                path = os.path.join(where, link)
            finally:
                os.close(parent)
    raise Refused("it leads through too many links, or somebody keeps moving it", errno.EAGAIN)


def _open(path: str, flags: int = 0) -> int:
    try:
        return kernel.openat2(AT_FDCWD, path, os.O_PATH | flags, kernel.RESOLVE_NO_MAGICLINKS)
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            raise Refused("it leads through too many links, or through one of /proc's that are no links") from exc
        raise


def _link(name: str, parent: int) -> str | None:
    try:
        return os.readlink(name, dir_fd=parent)
    except OSError:
        return None


def _with_directory(file: int) -> Handle | None:
    """The file with the folder that holds it; None where somebody moved things meanwhile, and the walk starts again.

    Whatever happens, no descriptor is left over: a sandbox that could make us lose them would end us.
    """
    handle = Handle(file, -1, "", "")
    try:
        real = os.readlink(f"/proc/self/fd/{file}")
        name = os.path.basename(real)
        directory = _open(os.path.dirname(real))
        handle.directory, handle.name, handle.real = directory, name, real
        if not name:
            return handle
        if same(os.stat(name, dir_fd=directory, follow_symlinks=False), os.fstat(file)):
            handle.real = os.path.join(os.readlink(f"/proc/self/fd/{directory}"), name)
            return handle
    except FileNotFoundError:
        pass
    except BaseException:
        handle.close()
        raise
    handle.close()
    return None


def _nearest(path: str) -> tuple[int, str]:
    """A handle of the deepest existing folder on the way, and what is missing below it."""
    missing: list[str] = []
    while True:
        head, tail = os.path.split(path.rstrip("/"))
        missing.insert(0, tail)
        if tail in ("..", "."):
            raise Refused("the path goes through a folder that does not exist")
        try:
            return _open(head or "/", os.O_DIRECTORY), "/".join(missing)
        except FileNotFoundError:
            path = head
            if len(missing) == 1 and os.path.islink(head):
                raise Refused("a folder on the way is a dangling link") from None


def same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


def kind(mode: int) -> str:
    kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link", stat.S_IFIFO: "fifo"}
    return kinds.get(stat.S_IFMT(mode), "device or socket")


def missing(handle: Handle) -> Refused:
    where = os.readlink(f"/proc/self/fd/{handle.directory}")
    return Refused(f"No such file or directory; the last folder on its way that exists is {where}", errno.ENOENT)


def regular(handle: Handle) -> os.stat_result:
    """What the open file is. Raises Refused where there is none, or one that is no regular file of an ordinary file system.

    Nothing else is ever opened: a file of the kernel's own file systems acts on the process that reads or writes it, and
    that is the agent.
    """
    if handle.file < 0:
        raise missing(handle)
    info = os.fstat(handle.file)
    if stat.S_ISDIR(info.st_mode):
        raise Refused("it is a directory; list it with file_list")
    if not stat.S_ISREG(info.st_mode):
        raise Refused(f"it is a {kind(info.st_mode)}, not a regular file")
    if kernel.file_system_type(handle.file) in KERNEL_FILE_SYSTEMS:
        raise Refused(
            "it is a file of the kernel (as in /proc or /sys), which file tools do not open; use cat in shell"
        )
    return info


def require_writable_place(handle: Handle) -> None:
    """Raises Refused for a target in /proc, /sys or /dev, or in a folder of a kernel file system mounted elsewhere."""
    of_kernel = kernel.file_system_type(handle.directory) in KERNEL_FILE_SYSTEMS
    if of_kernel or any(f"{handle.real}/".startswith(f"{place}/") for place in NOT_WRITTEN):
        raise Refused(
            f"{handle.real} is in {', '.join(NOT_WRITTEN[:-1])} or {NOT_WRITTEN[-1]}, where file tools write nothing; "
            "write below the workspace or /tmp"
        )


def reopen(handle: Handle, flags: int) -> int:
    """The very file of the handle, to be read or written; the only magic link that is ever used is our own."""
    return os.open(f"/proc/self/fd/{handle.file}", flags | os.O_NONBLOCK | os.O_CLOEXEC)
