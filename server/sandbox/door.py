"""The socket at which a sandbox's agent arrives, and whom it lets in."""

import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import anyio

from server.sandbox.agent_link import AgentLink
from server.sandbox.folders import SOCKET_PATH_LIMIT
from server.sandbox.peer import peer
from server.sandbox.sandbox import SandboxFailed, SandboxLost

NAME: Final = "control.sock"
_PROC: Final = Path("/proc")


@contextmanager
def door(folder: Path) -> Iterator[socket.socket]:
    """Open for one arrival. Parent 0700 keeps the host's other users out, 0755 and 0666 let the agent in."""
    path = folder / NAME
    if len(str(path).encode()) > SOCKET_PATH_LIMIT:
        raise SandboxFailed(
            f"the socket path {path} is longer than {SOCKET_PATH_LIMIT} bytes; set SANDGATE_RUNTIME_DIR to a shorter folder"
        )
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o755, exist_ok=True)
    folder.chmod(0o755)
    path.unlink(missing_ok=True)  # of a server that died
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o666)
        listener.listen(4)
        listener.setblocking(False)
        try:
            yield listener
        finally:
            path.unlink(missing_ok=True)


async def arrival(listener: socket.socket, pid: int) -> socket.socket:
    """The first connection that really is the container's PID 1; whoever else dials is hung up on."""
    while True:
        await anyio.wait_readable(listener)
        sock, _ = listener.accept()
        if peer(sock) == (pid, root_of(pid)):
            return sock
        sock.close()


def root_of(pid: int) -> int:
    """Who root of that process's user namespace is to us: 0, or whom an engine with userns-remap has put in its place."""
    try:
        rows = (_PROC / str(pid) / "uid_map").read_text().splitlines()
    except OSError:  # gone already, or of a PID namespace that we do not see
        return 0
    return next((int(outside) for inside, outside, _ in map(str.split, rows) if inside == "0"), 0)


def check_key(link: AgentLink, key: str) -> None:
    """Raises SandboxLost where a greeting does not show what that agent was given."""
    if not secrets.compare_digest(str(link.hello.get("key")).encode(errors="replace"), key.encode()):
        raise SandboxLost("its agent is not the one that was left")
