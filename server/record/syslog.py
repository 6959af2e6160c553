"""The audit to a syslog server, as RFC 5424 has it."""

import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from server.record.sink import PATIENCE_S, Form, Lost, NotNow, is_bad
from server.record.trail import Line

LARGEST: Final = 60_000  # bytes that a datagram surely carries, its header included
LOG_AUDIT: Final = 13  # RFC 5424, table 1


@dataclass
class Syslog:
    """RFC 5424 to unix:///dev/log, udp://host:514, tcp://host:601 or tls://host:6514 (framed as RFC 6587, 3.4.1).

    Datagrams may be lost, and what a connection took may still be lost with it: whoever needs to know compares sequences.
    """

    url: str
    form: Form
    ca: Path | None = None
    _socket: socket.socket | None = field(default=None, init=False)

    def send(self, lines: Sequence[Line]) -> Lost:
        too_long = 0
        try:
            sock, is_stream = self._connected()
            for line in lines:
                message = self._message(line)
                if is_stream:
                    sock.sendall(b"%d %s" % (len(message), message))
                elif len(message) <= LARGEST:
                    sock.send(message)
                else:
                    too_long += 1
        except (OSError, ssl.SSLError) as exc:
            self.close()
            raise NotNow(f"{self.url}: {exc}") from exc
        return Lost(too_long, "longer than a datagram")

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _message(self, line: Line) -> bytes:
        severity = 4 if is_bad(line) else 6  # warning, informational
        kind = str(line.document["kind"])[:32]
        data = f'[meta sequenceId="{line.sequence % (1 << 31) or 1}"]'
        host = socket.gethostname()[:255] or "-"
        head = f"<{LOG_AUDIT * 8 + severity}>1 {line.document['time']} {host} sandgate - {kind} {data} "
        return (head + self.form(line)).encode()

    def _connected(self) -> tuple[socket.socket, bool]:
        url = urlsplit(self.url)
        is_stream = url.scheme in ("tcp", "tls")
        if self._socket is not None and is_stream and _was_closed(self._socket):
            self.close()
        if self._socket is None:
            self._socket = self._dialled(url.scheme, url.path, (url.hostname or "", url.port or 0))
        return self._socket, is_stream

    def _dialled(self, scheme: str, path: str, address: tuple[str, int]) -> socket.socket:
        if scheme == "unix":
            return _datagrams(socket.AF_UNIX, path)
        if scheme == "udp":
            family, *_, where = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)[0]
            return _datagrams(family, where)
        plain = socket.create_connection(address, PATIENCE_S)
        if scheme == "tcp":
            return plain
        try:
            return ssl.create_default_context(cafile=self.ca).wrap_socket(plain, server_hostname=address[0])
        except BaseException:
            plain.close()
            raise


def _datagrams(family: int, where: Any) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.settimeout(PATIENCE_S)
        sock.connect(where)
    except BaseException:
        sock.close()
        raise
    return sock


def _was_closed(sock: socket.socket) -> bool:
    """The other side has gone, or says something, which no syslog server does."""
    if isinstance(sock, ssl.SSLSocket):
        sock.setblocking(False)
        try:
            return sock.recv(1) == b""
        except (ssl.SSLWantReadError, BlockingIOError):
            return False
        except OSError:
            return True
        finally:
            sock.settimeout(PATIENCE_S)
    try:
        return sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
