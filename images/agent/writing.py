"""Putting content where a handle says: beside the file and then over it, so that nobody reads half of one.

A link is followed (its target was judged) and stays. A file with several names gets a new one for this name only: the
others keep what they had, so no write reaches a file by a name that was not judged.
"""

import contextlib
import ctypes
import errno
import os
import stat

import kernel
import opening

NO_REPLACE, EXCHANGE = 1, 2  # renameat2's flags
MOST_SWAPS = 8
MOST_COPIED, PIECE = 32 << 20, 1 << 20  # bytes of a file that has several names
CHANGED = "it changed meanwhile; nothing was written. Read it again and repeat the edit"
EXISTS = "it exists already; mode=overwrite replaces it"
APPEARED = "something was made there meanwhile; nothing was written. Read it before you replace it"

type Answer = dict[str, object]


class Beside:
    """What becomes the file: written under a name of its own in the same folder, and gone where it does not get that far."""

    __slots__ = ("directory", "file", "name", "size", "temporary")

    def __init__(self, handle: opening.Handle) -> None:
        mode = stat.S_IMODE(os.fstat(handle.file).st_mode) & 0o777 if handle.file >= 0 else 0o644
        self.directory, self.name = _make_parents(handle)
        self.temporary = f".sandgate-{os.urandom(8).hex()}"  # not of the name, which may be as long as names can be
        self.size = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self.file = os.open(self.temporary, flags, mode, dir_fd=self.directory)
        except BaseException:
            os.close(self.directory)
            raise
        os.fchmod(self.file, mode)

    @property
    def is_there(self) -> bool:
        """Whether its name is still its own: parts may take minutes to come."""
        try:
            now = os.stat(self.temporary, dir_fd=self.directory, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return opening.same(now, os.fstat(self.file))

    def close(self) -> None:
        with contextlib.suppress(OSError):
            os.unlink(self.temporary, dir_fd=self.directory)
        os.close(self.file)
        os.close(self.directory)


def add(handle: opening.Handle, content: bytes) -> None:
    """A part of what the file will hold: it waits beside the file until `write` brings the last."""
    if handle.beside is None:
        opening.require_writable_place(handle)
        if handle.file >= 0:
            _may_be_written(handle)
        handle.beside = Beside(handle)
    _write_all(handle.beside.file, content)
    handle.beside.size += len(content)


def write(handle: opening.Handle, content: bytes, mode: str, *, unchanged: bool, executable: bool) -> Answer:
    """Mode is overwrite, create or append; with `unchanged` the file must still be what was read by this handle.

    executable: where it is new.
    """
    opening.require_writable_place(handle)
    if handle.file >= 0:
        _may_be_written(handle)
        if mode == "create":
            raise opening.Refused(EXISTS)
        if mode == "append" and os.fstat(handle.file).st_nlink == 1:
            return _append(handle, content)
        if mode == "append":
            _add_what_is_there(handle)
            unchanged = True
    add(handle, content)
    return _replace(handle, unchanged=unchanged, executable=executable)


def _may_be_written(handle: opening.Handle) -> None:
    """A file that its owner made read-only is not replaced either, though its folder would allow that."""
    if stat.S_ISDIR(os.fstat(handle.file).st_mode):
        raise opening.Refused("it is a directory; give the name of a file in it")
    opening.regular(handle)
    try:
        os.close(opening.reopen(handle, os.O_WRONLY))
    except OSError as exc:
        if exc.errno == errno.EACCES:
            raise opening.Refused("you may not write it: it is read-only or not yours (see ls -l, chmod u+w)") from exc
        if exc.errno != errno.ETXTBSY:  # a program that runs may be replaced; it goes on with the old one
            raise


def _make_parents(handle: opening.Handle) -> tuple[int, str]:
    """The folder that the file goes into, folders made on the way, none of them a link."""
    if os.path.join(os.readlink(f"/proc/self/fd/{handle.directory}"), handle.name) != handle.real:
        raise opening.Refused("its folder was moved meanwhile; nothing was written")
    directory, parts = os.dup(handle.directory), handle.name.split("/")
    try:
        for part in parts[:-1]:
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, 0o755, dir_fd=directory)
            inner = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
            os.close(directory)
            directory = inner
    except BaseException:
        os.close(directory)
        raise
    return directory, parts[-1]


def _append(handle: opening.Handle, content: bytes) -> Answer:
    """All of it or nothing: where the disk is full the file is as long as before."""
    file = opening.reopen(handle, os.O_WRONLY | os.O_APPEND)
    try:
        before = os.fstat(file).st_size
        try:
            _write_all(file, content)
        except OSError:
            os.ftruncate(file, before)
            raise
        return {"size": os.fstat(file).st_size, "created": False, "names": 1}
    finally:
        os.close(file)


def _add_what_is_there(handle: opening.Handle) -> None:
    """For a file that has other names: they keep it as it is, and the new one begins as it."""
    with open(opening.reopen(handle, os.O_RDONLY), "rb") as file:
        handle.seen = os.fstat(file.fileno())
        if handle.seen.st_size > MOST_COPIED:
            raise opening.Refused("it has several names (hard links) and is large; add to it with a command in shell")
        for _ in range(0, handle.seen.st_size, PIECE):
            add(handle, file.read(PIECE))


def _replace(handle: opening.Handle, *, unchanged: bool, executable: bool) -> Answer:
    made = handle.beside
    assert made is not None  # noqa: S101 - add() has made it
    old = os.fstat(handle.file) if handle.file >= 0 else None
    if executable and old is None:
        os.fchmod(made.file, 0o755)
    if not made.is_there:
        raise opening.Refused("somebody took away what was being written; nothing is written there")
    _move(made.directory, made.temporary, made.name, handle, unchanged=unchanged)
    return {"size": made.size, "created": old is None, "names": old.st_nlink if old else 1}


def _move(directory: int, temporary: str, name: str, handle: opening.Handle, *, unchanged: bool) -> None:
    if handle.file < 0:
        _move_where_nothing_is(directory, temporary, name)
    elif unchanged:
        _exchange(directory, temporary, name, handle)
    else:
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)


def _move_where_nothing_is(directory: int, temporary: str, name: str) -> None:
    try:
        _rename(directory, temporary, name, NO_REPLACE)
    except FileExistsError:
        raise opening.Refused(APPEARED) from None
    except OSError as exc:
        if exc.errno != errno.EINVAL:
            raise
        os.link(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)  # a file system without that flag
        os.unlink(temporary, dir_fd=directory)


def _exchange(directory: int, temporary: str, name: str, handle: opening.Handle) -> None:
    """Swap the two, look at what came out, and swap back where it is not what was read: no gap to slip through."""
    if not _as_seen(os.stat(name, dir_fd=directory, follow_symlinks=False), handle):
        raise opening.Refused(CHANGED, errno.ESTALE)
    ours = os.stat(temporary, dir_fd=directory, follow_symlinks=False)
    try:
        _rename(directory, temporary, name, EXCHANGE)
    except OSError as exc:
        if exc.errno != errno.EINVAL:
            raise
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)  # checked just above; the best there is
        return
    if not _as_seen(os.stat(temporary, dir_fd=directory, follow_symlinks=False), handle):
        _swap_back(directory, temporary, name, ours)
        raise opening.Refused(CHANGED, errno.ESTALE)
    os.unlink(temporary, dir_fd=directory)


def _swap_back(directory: int, temporary: str, name: str, ours: os.stat_result) -> None:
    """Until what comes out is our own: a third one that came between the swaps is put back as well."""
    for _ in range(MOST_SWAPS):
        _rename(directory, temporary, name, EXCHANGE)
        if opening.same(os.stat(temporary, dir_fd=directory, follow_symlinks=False), ours):
            return


def _as_seen(now: os.stat_result, handle: opening.Handle) -> bool:
    seen = handle.seen
    return seen is not None and opening.same(now, seen) and _state(now) == _state(seen)


def _state(info: os.stat_result) -> tuple[int, int, int]:
    return info.st_mtime_ns, info.st_size, info.st_mode


def _rename(directory: int, old: str, new: str, flags: int) -> None:
    result = kernel.LIBC.renameat2(directory, os.fsencode(old), directory, os.fsencode(new), ctypes.c_uint(flags))
    kernel.call(result, new)


def _write_all(file: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(file, view) :]
