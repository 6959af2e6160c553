"""Who is at the other end of a unix socket, as the kernel noted when it connected."""

import socket
import struct
from typing import Final, NamedTuple

_CREDENTIALS: Final = struct.Struct("3i")  # SO_PEERCRED: pid, uid, gid


class Peer(NamedTuple):
    """0 as its pid: a process of a PID namespace that this one does not see."""

    pid: int
    uid: int


def peer(sock: socket.socket) -> Peer:
    """Raises OSError where the socket is closed."""
    pid, uid, _ = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return Peer(pid, uid)
