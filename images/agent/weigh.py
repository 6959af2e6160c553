"""What sandboxes hold on the engine's disk, counted from outside, where nothing in one can hide it or stand in the way.

Not part of the agent: a container of its own runs it, which sees the engine's processes and, through them, its folders.
Standard library only. A line of input is a question, {name: [pid of its first process, folders that are lent to it]};
a line of output is an answer, [name, bytes, whole], and [] ends them. It ends itself where nobody asks.
"""

import errno
import json
import os
import resource
import select
import stat
import sys
import time
from collections.abc import Iterator

PATIENCE_S = 60.0  # without a question
BUDGET_S = 20.0  # for one sandbox: about 5 million files, on a busy machine far fewer
ALL_S, LEAST_S = (
    60.0,
    1.0,
)  # for all that are asked about: nobody is judged before, so many that take long have less each
LEAST = 1024  # bytes of any file, also an empty one: it takes an inode, and those run out as well
# Without a trace: who saw in a folder's time of access where we are could move a file to where we have been.
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOATIME
LOOK_EVERY = 1000  # entries, at the clock
MOST_OPEN = 2048  # descriptors; a folder takes two, and 32 KiB: some ten thousand of them, one in the other, ended this
MOST_UNLINKED = 100_000  # that are told apart
ROUNDS = 10  # until no process was gone before it was looked at: of those of a build one is soon there that is not
GONE = (errno.ENOENT, errno.ESRCH, errno.ENOTDIR, errno.ELOOP)  # it went, or was swapped, since it was listed
MEMORY = {"tmpfs", "ramfs", "proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2"}  # bounded as memory, or nothing


class TooMuch(Exception):
    """More than can be counted in the time there is."""


class Load:
    """One sandbox's files, as they are added up."""

    def __init__(self, budget_s: float) -> None:
        self.size, self.whole = 0, True
        self._until, self._looked = time.monotonic() + budget_s, 0
        self._unlinked: set[tuple[int, int]] = set()

    def add(self, found: os.stat_result) -> None:
        """Blocks, so holes are nothing and room that was set aside counts; of a file with several names each has a part."""
        self.size += max(LEAST, found.st_blocks * 512) // max(1, found.st_nlink if stat.S_ISREG(found.st_mode) else 1)
        self.look()

    def add_unlinked(self, found: os.stat_result) -> None:
        """A file without a name, once, however many hold it open."""
        if (found.st_dev, found.st_ino) not in self._unlinked:
            if len(self._unlinked) >= MOST_UNLINKED:
                raise TooMuch
            self._unlinked.add((found.st_dev, found.st_ino))
            self.add(found)

    def look(self) -> None:
        self._looked += 1
        if self._looked % LOOK_EVERY == 0 and time.monotonic() > self._until:
            raise TooMuch

    def missed(self, exc: OSError) -> None:
        self.whole = self.whole and exc.errno in GONE


def weigh(pid: int, lent: list[str], tasks: dict[int, list[tuple[int, bool]]], budget_s: float) -> Load:
    """`tasks`: by the device of their root, each with whether its mappings are to be looked at."""
    load = Load(budget_s)
    try:
        root = os.stat(f"/proc/{pid}/root").st_dev
        devices = {root}
        _walk(os.open(_upper(pid), FOLDER), load)
        for target in _volumes(pid, lent):
            top = _beneath(f"/proc/{pid}/root", target)
            devices.add(os.fstat(top).st_dev)
            _walk(top, load)
        known = tasks.get(root, ())
        for task, maps in known:
            _held_open(task, devices, load, maps=maps)
        load.whole = _caught_up(pid, {task for task, _ in known}, devices, load) and load.whole
    except TooMuch:
        load.whole = False
    except (OSError, LookupError):
        load.whole = False
    return load


def _upper(pid: int) -> str:
    """The writable layer, as the process sees it that the engine started the sandbox with."""
    with open(f"/proc/{pid}/status") as lines:
        parent = next(line.split()[1] for line in lines if line.startswith("PPid:"))
    for target, options, _ in _mounts(pid):
        if target == "/":
            above = next(option for option in options if option.startswith("upperdir="))
            return f"/proc/{parent}/root{above.removeprefix('upperdir=')}"
    raise LookupError("its root is no overlay")


def _volumes(pid: int, lent: list[str]) -> Iterator[str]:
    """What else is its own to write on: the volumes that an image declares."""
    for target, options, kind in _mounts(pid):
        ours = any(target == folder or target.startswith(f"{folder}/") for folder in ("/", "/etc", *lent))
        if target != "/" and not ours and kind not in MEMORY and "ro" not in options:
            yield target


def _beneath(root: str, target: str) -> int:
    """That folder, opened step by step: a link that was put in place of one since leads nowhere, least of all out of it."""
    handle = os.open(root, FOLDER)
    for name in target.strip("/").split("/"):
        above = handle
        try:
            handle = os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=above)
        finally:
            os.close(above)
    return handle


def _mounts(pid: int) -> Iterator[tuple[str, list[str], str]]:
    """Target, options and kind of each."""
    with open(f"/proc/{pid}/mountinfo") as lines:
        for line in lines:
            mount, _, source = line.partition(" - ")
            target, options = mount.split(" ")[4:6]
            kind, _, above = source.rstrip("\n").split(" ", 2)
            yield _plain(target), [*options.split(","), *_plain(above).split(",")], kind


def _plain(name: str) -> str:
    return name.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")


def _walk(top: int, load: Load) -> None:
    """Folder by folder, each opened by its name in the one above: what is swapped for a link leads nowhere."""
    open_folders = [_Folder(top)]
    try:
        while open_folders:
            below = open_folders[-1].next_folder(load)
            if below is None:
                open_folders.pop().close()
            else:
                open_folders.append(below)
    finally:
        for folder in open_folders:
            folder.close()


class _Folder:
    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._entries = os.scandir(handle)

    def next_folder(self, load: Load) -> "_Folder | None":
        for entry in self._entries:
            try:
                found = entry.stat(follow_symlinks=False)
                load.add(found)
                if stat.S_ISDIR(found.st_mode):
                    return _Folder(os.open(entry.name, FOLDER | os.O_NOFOLLOW, dir_fd=self._handle))
            except OSError as exc:
                load.missed(exc)
        return None

    def close(self) -> None:
        self._entries.close()
        os.close(self._handle)


def _tasks() -> dict[int, list[tuple[int, bool]]]:
    """Every thread, for each may have a table of open files of its own."""
    found: dict[int, list[tuple[int, bool]]] = {}
    for process in (name for name in os.listdir("/proc") if name.isdigit()):
        try:
            threads = os.listdir(f"/proc/{process}/task")
        except OSError:
            continue
        maps = True  # of the first that lives: they share them
        for thread in threads:
            try:
                device = os.stat(f"/proc/{thread}/root").st_dev
            except OSError:
                continue
            found.setdefault(device, []).append((int(thread), maps))
            maps = False
    return found


def _caught_up(pid: int, seen: set[int], devices: set[int], load: Load) -> bool:
    """Looks at what was started since, for a process may fork with what it holds and end, again and again.

    False where there was always one that had gone before it could be looked at.
    """
    for _ in range(ROUNDS):
        lost = False
        for task, maps in _below(pid):
            if task not in seen:
                seen.add(task)
                _held_open(task, devices, load, maps=maps)
                lost = lost or not os.path.exists(f"/proc/{task}/cwd")  # nor has one that ended and was not waited for
        if not lost:
            return True
    return False


def _below(pid: int) -> Iterator[tuple[int, bool]]:
    """As `_tasks`, of one process and all below it."""
    waiting = [pid]
    while waiting:
        process = waiting.pop()
        yield process, True
        try:
            threads = os.listdir(f"/proc/{process}/task")
        except OSError:
            continue
        for thread in threads:
            if int(thread) != process:
                yield int(thread), False
            try:
                with open(f"/proc/{process}/task/{thread}/children") as children:
                    waiting.extend(map(int, children.read().split()))
            except OSError:
                continue


def _held_open(task: int, devices: set[int], load: Load, *, maps: bool) -> None:
    for name in _holds(task, load, maps=maps):
        load.look()
        try:
            found = os.stat(f"/proc/{task}/{name}")
            if found.st_nlink == 0 and found.st_dev in devices:
                load.add_unlinked(found)
            elif stat.S_ISSOCK(found.st_mode) and _carries(task, name):
                load.whole = False  # what is under way in a socket is held by nobody whom one could ask
        except OSError as exc:
            load.missed(exc)


def _holds(task: int, load: Load, *, maps: bool) -> Iterator[str]:
    """Below its folder in /proc. A program holds its file also where it has taken it out of its memory."""
    yield "cwd"
    if maps:
        yield "exe"
    for folder in ("fd", *(["map_files"] if maps else ())):
        try:
            names = os.listdir(f"/proc/{task}/{folder}")
        except OSError as exc:
            load.missed(exc)
            continue
        yield from (f"{folder}/{name}" for name in names)


def _carries(task: int, name: str) -> bool:
    with open(f"/proc/{task}/fdinfo/{name.removeprefix('fd/')}") as lines:
        return any(line.startswith("scm_fds:") and line.split()[1] != "0" for line in lines)


def main() -> None:
    if not 0 < resource.getrlimit(resource.RLIMIT_NOFILE)[0] <= MOST_OPEN:  # infinity is -1
        resource.setrlimit(resource.RLIMIT_NOFILE, (MOST_OPEN, MOST_OPEN))
    while select.select([0], [], [], PATIENCE_S)[0] and (line := sys.stdin.readline()):
        asked, tasks, until = json.loads(line), _tasks(), time.monotonic() + ALL_S
        for left, (name, (pid, lent)) in zip(range(len(asked), 0, -1), asked.items(), strict=True):
            load = weigh(pid, lent, tasks, share(until - time.monotonic(), left))
            _say([name, load.size, load.whole])
        _say([])


def share(left_s: float, left: int) -> float:
    """Seconds that the next of so many may take."""
    return min(BUDGET_S, max(LEAST_S, left_s / left))


def _say(answer: list[object]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
