"""`sandgate cp`: one file into a running session or out of it."""

import argparse
import os
import secrets
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final

from server.ops.door import Door, find
from server.settings_files import load

HOW: Final = "say sandgate cp SESSION:PATH FILE, or sandgate cp FILE SESSION:PATH"


class BadCopy(Exception):
    """What is to be copied, or where to, cannot be understood or used."""


def cp(arguments: argparse.Namespace) -> int:
    source, target = _place(arguments.source), _place(arguments.target)
    runtime = load(arguments.config).runtime_dir
    match source, target:
        case (str(session), str(path)), Path() as here:
            _out(find(runtime, session), path, here)
        case Path() as here, (str(session), str(path)):
            _into(find(runtime, session), here, path)
        case _:
            raise BadCopy(f"one of the two is in a session: {HOW}")
    return 0


def _place(text: str) -> Path | tuple[str, str]:
    """SESSION:PATH, or a file here; one with a colon in its name is written with a slash before that."""
    session, colon, path = text.partition(":")
    if not colon or "/" in session:
        return Path(text)
    if not session or not path:
        raise BadCopy(f"{text!r} names no file of a session: {HOW}")
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
            with os.fdopen(handle, "wb") as file:
                door.read(path, file)
            temporary.replace(here)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
    except OSError as exc:
        raise BadCopy(f"{here} cannot be written: {exc.strerror}") from exc
    print(f"{door.session}:{path} -> {here}")


def _into(door: Door, here: Path, path: str) -> None:
    if path.endswith("/"):
        path += here.name
    try:
        with here.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            real = door.write(path, file, size)
    except OSError as exc:
        raise BadCopy(f"{here} cannot be read: {exc.strerror}") from exc
    print(f"{here} -> {door.session}:{real}")
