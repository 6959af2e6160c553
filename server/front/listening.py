"""The address that a server over HTTP listens at, taken before anything is started for it."""

import errno
import socket
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager


class CannotListen(Exception):
    """The address is not to be had; the sentence says why and what to do."""


@contextmanager
def bound(host: str, port: int) -> Generator[list[socket.socket]]:
    """A socket for each address of `host`, bound and not listening yet: whoever comes too early is refused, not held.

    Port 0 is any that is free, the same for all of them. Raises CannotListen.
    """
    with ExitStack() as stack:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            sockets = list[socket.socket]()
            for family, (name, _, *rest) in dict.fromkeys((one[0], one[4]) for one in found):
                sockets.append(stack.enter_context(_bound(family, (name, port, *rest))))
                port = port_of(sockets)
        except OSError as exc:
            why = "something else listens there" if exc.errno == errno.EADDRINUSE else str(exc.strerror or exc)
            raise CannotListen(f"cannot listen at {host}, port {port}: {why}; choose another for --http") from exc
        yield sockets


def port_of(sockets: Sequence[socket.socket]) -> int:
    return int(sockets[0].getsockname()[1])


def _bound(family: int, where: tuple[str | int | bytes, ...]) -> socket.socket:
    # By its name: asyncio lets small writes go at once only where it reads that the protocol is TCP, and a client's
    # delayed acknowledgement would hold the end of each answer for 40 ms.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(where)
    except OSError:
        sock.close()
        raise
    return sock
