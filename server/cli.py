"""`sandgate`: one command is understood, its work imported and run, and what became of that is said."""

import argparse
import errno
import importlib
import logging
import os
import select
import sys
from collections.abc import Sequence
from pathlib import Path

from server.commands import command_parser
from server.escaping import Printed, escaped
from server.interrupts import ends_at_once
from server.unswept import unswept
from server.words import BadUsage

FAILED, INTERRUPTED, UNREAD = 1, 130, 141
MENDS = {  # of what the system says of a file or folder
    errno.ENOTDIR: "a file lies where a folder belongs; move it away",
    errno.EISDIR: "a folder lies where a file belongs; move it away",
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "see that it is yours to read and write"),
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room on its disk"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. 0 where it did what it says, 1 where it did not, 2 where it was not understood."""
    with ends_at_once():
        arguments = command_parser().parse_args(argv)
    words: argparse.ArgumentParser = arguments.words
    said = logging.StreamHandler(sys.stderr)
    said.setFormatter(Printed())
    logging.basicConfig(level=logging.WARNING, handlers=[said])
    try:
        if serve := getattr(arguments, "serve_arguments", None):
            arguments.served = command_parser().parse_args(
                ["serve", "--stdio", *serve]
            )  # what a client starts must start
        module, function = arguments.work.split(":")
        with unswept(), ends_at_once():
            work = getattr(importlib.import_module(f"server.ops.{module}"), function)
        code: int = work(arguments)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except (Exception, SystemExit, BaseExceptionGroup) as exc:
        if type(exc) is EOFError:  # Ctrl-D at a question; a stream that ends too soon has a type of its own
            print()
            return INTERRUPTED
        if isinstance(exc, BadUsage):
            words.error(str(exc))
        if _was_unread(exc):
            return UNREAD
        if _is_of(exc, BrokenPipeError) and _reader_has_left():
            return UNREAD
        sentence = _sentence(exc)
        if sentence is None:
            raise
        print(f"sandgate: {escaped(sentence)}", file=sys.stderr)
        return FAILED


def _sentence(exc: BaseException) -> str | None:
    """Our own errors say what happened and what to do; a traceback would only hide that."""
    if isinstance(exc, BaseExceptionGroup):
        return next((found for inner in exc.exceptions if (found := _sentence(inner))), None)
    if type(exc).__module__.split(".")[0] == "server":
        return str(exc)
    if isinstance(exc, OSError) and exc.filename is not None and exc.errno in MENDS:
        return f"{exc.filename} cannot be used ({exc.strerror}): {MENDS[exc.errno]}"
    return None


def _is_of(exc: BaseException, kind: type[BaseException]) -> bool:
    return isinstance(exc, kind) or (isinstance(exc, BaseExceptionGroup) and exc.subgroup(kind) is not None)


def _was_unread(exc: BaseException) -> bool:
    """rich makes a SystemExit of a broken pipe, and what is still unsaid goes nowhere already."""
    if isinstance(exc, BaseExceptionGroup):
        return any(map(_was_unread, exc.exceptions))
    return isinstance(exc, SystemExit) and isinstance(exc.__context__, BrokenPipeError)


def _reader_has_left() -> bool:
    """As `head` does when it has enough: nobody's error. What is still unsaid goes nowhere, quietly."""
    output, watched = sys.stdout.fileno(), select.poll()
    watched.register(output, 0)
    if not any(event & select.POLLERR for _, event in watched.poll(0)):
        return False
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), output)
    return True
