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
CHANGED = "it changed meanwhile; nothing was written. Read it again and repeat the edit"
EXISTS = "it exists already; mode=overwrite replaces it"
APPEARED = "something was made there meanwhile; nothing was written. Read it before you replace it"

type Answer = dict[str, object]


def write(handle: opening.Handle, content: bytes, mode: str, *, unchanged: bool) -> Answer:
    """Mode is overwrite, create or append; with `unchanged` the file must still be what was read by this handle."""
    if handle.file >= 0:
        _may_be_written(handle)
        if mode == "create":
            raise opening.Refused(EXISTS)
    directory, name = _make_parents(handle)
    try:
        if mode == "append" and handle.file >= 0:
            return _append(handle, content)
        return _replace(directory, name, handle, content, unchanged=unchanged)
    finally:
        os.close(directory)


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


def _replace(directory: int, name: str, handle: opening.Handle, content: bytes, *, unchanged: bool) -> Answer:
    old = os.fstat(handle.file) if handle.file >= 0 else None
    mode = stat.S_IMODE(old.st_mode) & 0o777 if old else 0o644
    temporary = f".sandgate-{os.urandom(8).hex()}"  # not made from the name, which may be as long as names can be
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(temporary, flags, mode, dir_fd=directory)
    try:
        os.fchmod(file, mode)
        _write_all(file, content)
        _move(directory, temporary, name, handle, unchanged=unchanged)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=directory)
        raise
    finally:
        os.close(file)
    return {"size": len(content), "created": old is None, "names": old.st_nlink if old else 1}


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
