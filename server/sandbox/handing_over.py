"""Sockets for a gate that somebody else runs: the line to it, and what it is given to listen on."""

import errno
import os
import socket
from pathlib import Path

from server.sandbox.peer import peer


def called(at: Path) -> socket.socket:
    """The line to the gate that waits there. Raises OSError where none does."""
    line = socket.socket(socket.AF_UNIX)
    try:
        line.connect(str(at))  # at once, or not: what is local does not take its time
        line.setblocking(False)
        if (user := peer(line).uid) != os.geteuid():
            raise PermissionError(errno.EPERM, f"what waits there is the user {user}'s")
    except OSError as exc:
        line.close()
        raise OSError(exc.errno, f"no gate waits at {at}: {exc.strerror}") from exc
    return line


def listening(path: Path) -> socket.socket:
    """A listener at that path, in place of one that a gate left when it died."""
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX)
    try:
        made.bind(str(path))
        path.chmod(0o666)  # whoever sees it may use it: the folder decides who does
        made.listen()
    except OSError:
        made.close()
        raise
    return made
