"""`sandgate cp`: one file into a running session or out of it."""

import argparse
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from server.escaping import one_line
from server.ops.door import Door, find
from server.settings.files import load
from server.words import BadUsage

HOW: Final = "say sandgate cp SESSION:PATH FILE, or sandgate cp FILE SESSION:PATH"


class BadCopy(Exception):
    """What is to be copied, or where to, cannot be used."""


def cp(arguments: argparse.Namespace) -> int:
    source, target = _place(arguments.source), _place(arguments.target)
    runtime = load(arguments.config).runtime_dir
    match source, target:
        case (str(session), str(path)), Path() as here:
            _out(find(runtime, session), path, here)
        case Path() as here, (str(session), str(path)):
            _into(find(runtime, session), here, path)
        case _:
            raise BadUsage(f"one of the two is in a session: {HOW}")
    return 0


def _place(text: str) -> Path | tuple[str, str]:
    """SESSION:PATH, or a file here; one with a colon in its name is written with a slash before that."""
    session, colon, path = text.partition(":")
    if not colon or "/" in session:
        return Path(text)
    if not session or not path:
        raise BadUsage(f"{text!r} names no file of a session: {HOW}")
    return session, path


def _out(door: Door, path: str, here: Path) -> None:
    """Made beside the target and renamed over it: half a file is never seen."""
    name = PurePosixPath(path).name
    if here.is_dir():
        if name in ("", "..", "."):
            raise BadCopy(f"{path} names no file; end it with the name of one")
        here = here / name
    temporary = here.with_name(f".sandgate-{secrets.token_hex(8)}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            with os.fdopen(handle, "wb") as file, _bar(path) as came:
                if door.read(path, file, came):
                    mode = os.fstat(handle).st_mode
                    os.fchmod(handle, mode | (mode & 0o444) >> 2)  # for whoever may read it
            temporary.replace(here)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
    except OSError as exc:
        raise BadCopy(f"{here} cannot be written: {exc.strerror}") from exc
    print(one_line(f"{door.session}:{path} -> {here}"))


@contextmanager
def _bar(path: str) -> Iterator[Callable[[int, int], None]]:
    """At a terminal only."""
    console = Console(stderr=True)
    columns = (TextColumn("copying"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(path, total=None)
        yield lambda came, size: progress.update(task, advance=came, total=size)


def _into(door: Door, here: Path, path: str) -> None:
    if path.endswith("/"):
        path += here.name
    try:
        if not stat.S_ISREG(here.stat().st_mode):
            raise BadCopy(f"{here} is no file; pack a folder first, such as tar czf /tmp/d.tgz DIR")
        with here.open("rb") as file, _bar(path) as came:
            info = os.fstat(file.fileno())
            real = door.write(path, file, info.st_size, came, executable=bool(info.st_mode & 0o100))
    except OSError as exc:
        raise BadCopy(f"{here} cannot be read: {exc.strerror}") from exc
    print(one_line(f"{here} -> {door.session}:{real}"))
