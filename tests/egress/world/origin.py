"""An origin on loopback: HTTP/1.1, HTTP/2 and WebSocket, with or without TLS. It writes down everything it is sent."""

import gzip
import hashlib
import re
import socket
import ssl
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import unquote

import brotli
import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
import zstandard

BOMB_BYTES = 100_000_000  # of nothing, which is a few kilobytes when it is encoded
BLOCK = b"\xa5" * 65536
ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "br": brotli.compress,
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
    "deflate": zlib.compress,
    "compress": bytes,  # an encoding that nobody reads
    "gzip, gzip": lambda data: gzip.compress(gzip.compress(data)),
}
ENDLESS = {
    b"/endless-head": b"",
    b"/endless-chunk-line": b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5;",
    b"/endless-trailers": b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
}
MARK = b"TLS handshake for "


@cache
def bomb(encoding: str) -> bytes:
    return ENCODERS[encoding](bytes(BOMB_BYTES))


@dataclass
class Heard:
    """What arrived on one connection."""

    address: str = ""  # ours, which they dialled
    port: int = 0
    tls: bool = False
    sni: str | None = None
    alpn: str | None = None
    heads: list[bytes] = field(default_factory=list)
    diary: "list[tuple[Heard, bytes]]" = field(default_factory=list)  # of all connections, in order

    def note(self, head: bytes) -> None:
        self.heads.append(head)
        self.diary.append((self, head))

    @property
    def everything(self) -> bytes:
        return MARK + (self.sni or "-").encode() + b"\n" + b"\n".join(self.heads)


class Origin:
    """Listens from construction to `close`; `heard` grows with each connection, and `diary` with each request."""

    def __init__(
        self,
        context: ssl.SSLContext | None,
        address: tuple[str, int] = ("127.0.0.1", 0),
        diary: list[tuple[Heard, bytes]] | None = None,
    ) -> None:
        self._diary = [] if diary is None else diary
        self._context = context
        if context is not None:
            context.sni_callback = self._remember_sni
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        both = family is socket.AF_INET6
        self._listener = socket.create_server(address, family=family, backlog=256, dualstack_ipv6=both)
        self.port: int = self._listener.getsockname()[1]
        self.heard: list[Heard] = []
        self._names = threading.local()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    @property
    def everything(self) -> bytes:
        return b"\n".join(heard.everything for heard in self.heard)

    def _remember_sni(self, sock: Any, name: str | None, _context: Any) -> None:
        self._names.sni = name

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=[sock], daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        address, port = sock.getsockname()[:2]
        heard = Heard(address.removeprefix("::ffff:"), port, self._context is not None, diary=self._diary)
        self.heard.append(heard)
        with sock:
            try:
                if self._context is None:
                    _Http1(sock, heard).serve()
                    return
                with self._context.wrap_socket(sock, server_side=True) as secure:
                    heard.sni, heard.alpn = getattr(self._names, "sni", None), secure.selected_alpn_protocol()
                    speaker = _Http2(secure, heard) if heard.alpn == "h2" else _Http1(secure, heard)
                    speaker.serve()
            except (OSError, h2.exceptions.ProtocolError):
                return


class _Http1:
    def __init__(self, sock: socket.socket, heard: Heard) -> None:
        self._sock = sock
        self._heard = heard
        self._file = sock.makefile("rb")

    def serve(self) -> None:
        while head := self._head():
            self._heard.note(head)
            self._answer(head)

    def _head(self) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self._file.readline()
            if not line:
                return b""
            head += line
        return head

    def _answer(self, head: bytes) -> None:
        method, target, _ = head.split(b"\r\n", 1)[0].split(b" ")
        path, _, query = target.partition(b"?")
        if path == b"/ws":
            self._websocket()
        elif path == b"/big":
            self._stream(int(query))
        elif path in ENDLESS:
            self._endless(b"HTTP/1.1 200 OK\r\n" + ENDLESS[path])
        elif path == b"/stall":
            self._file.read(1)  # until somebody hangs up
        elif path == b"/garbage":
            self._sock.sendall(head.replace(b"\r\n", b" ") + b"\r\n\r\n")
        elif path == b"/bytewise":
            self._bytewise(head)
        elif path == b"/redirect":
            self._sock.sendall(b"HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % query)
        elif path in {b"/hints", b"/switch", b"/extension", b"/names"}:
            self._tell(path, head)
        elif path == b"/encoded":
            encoding, _, more = query.partition(b"&")
            name = unquote(encoding.decode())
            self._encoded(name, bomb(name) if more == b"bomb" else ENCODERS[name](head))
        else:
            size, digest = self._body(head)
            more = b'Alt-Svc: h3=":443"\r\nX-Sandgate-Error: forged\r\n' if path == b"/odd" else b""
            self._send(
                more, head if path == b"/echo" else b"hello %s %d %s" % (target, size, digest), bare=method == b"HEAD"
            )

    def _send(self, more: bytes, body: bytes, *, bare: bool) -> None:
        self._sock.sendall(
            b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n" % (more, len(body)) + (b"" if bare else body)
        )

    def _bytewise(self, head: bytes) -> None:
        """The head comes back a byte a chunk, and in the status line's reason and a header of its own."""
        told = head.replace(b"\r\n", b" ")
        self._sock.sendall(b"HTTP/1.1 200 %s\r\nX-Echo: %s\r\nTransfer-Encoding: chunked\r\n\r\n" % (told, told))
        for byte in head:
            self._sock.sendall(b"1\r\n%c\r\n" % byte)
        self._sock.sendall(b"0\r\n\r\n")

    def _tell(self, path: bytes, head: bytes) -> None:
        """What was sent, where few look for it: in an interim answer, after another protocol, in a chunk's extension, in names."""
        told = head.replace(b"\r\n", b" ")
        if path == b"/hints":
            self._sock.sendall(b"HTTP/1.1 103 Early Hints\r\nX-Echo: %s\r\n\r\n" % told)
            self._send(b"", b"after the hints", bare=False)
        elif path == b"/switch":
            self._sock.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: raw\r\nConnection: upgrade\r\n\r\n%s" % told
            )
        elif path == b"/extension":
            self._sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;%s\r\nabc\r\n" % told)
            self._sock.sendall(b"0\r\nX-Echo: %s\r\n\r\n" % told)
        else:
            names = b"".join(b"%s: x\r\n" % word for word in re.findall(rb"[\w-]{20,}", head))
            self._send(names, b"told in names", bare=False)

    def _encoded(self, encoding: str, body: bytes) -> None:
        self._sock.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s"
            % (encoding.encode(), len(body), body)
        )

    def _stream(self, size: int) -> None:
        self._sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while size > 0:
            self._sock.sendall(BLOCK[:size])
            size -= len(BLOCK)

    def _endless(self, begins: bytes) -> None:
        """A line without end after a `;`, otherwise header after header."""
        self._sock.sendall(begins)
        while True:
            self._sock.sendall(b"a" * 8000 if begins.endswith(b";") else b"X-Filler: " + b"a" * 8000 + b"\r\n")

    def _websocket(self) -> None:
        self._sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        while data := self._file.read1(65536):
            self._sock.sendall(data)

    def _body(self, head: bytes) -> tuple[int, bytes]:
        digest, size = hashlib.sha256(), 0
        for block in self._blocks(head.lower()):
            digest.update(block)
            size += len(block)
        return size, digest.hexdigest().encode()

    def _blocks(self, head: bytes) -> Any:
        if b"transfer-encoding: chunked" in head:
            while length := int(self._file.readline() or b"0", 16):
                yield self._file.read(length)
                self._file.readline()
            self._file.readline()
        elif b"content-length:" in head:
            left = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
            while left > 0 and (block := self._file.read(min(left, 65536))):
                left -= len(block)
                yield block


class _Http2:
    def __init__(self, sock: socket.socket, heard: Heard) -> None:
        self._sock = sock
        self._heard = heard
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))

    def serve(self) -> None:
        self._h2.initiate_connection()
        self._sock.sendall(self._h2.data_to_send())
        while data := self._sock.recv(65536):
            for event in self._h2.receive_data(data):
                self._on(event)
            self._sock.sendall(self._h2.data_to_send())

    def _on(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            fields = [(str(name), str(value)) for name, value in event.headers]
            self._heard.note("".join(f"{name}: {value}\n" for name, value in fields).encode())
            self._begun(event.stream_id, dict(fields)[":path"])
        elif isinstance(event, h2.events.DataReceived):
            if b":path: /stall" not in self._heard.heads[-1]:
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self._ended(event.stream_id, self._heard.heads[-1])

    def _begun(self, stream: int, path: str) -> None:
        """Of /alone, an answer begins at once, after it is said that no other request may begin."""
        if path == "/alone":
            self._h2.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1})
            self._h2.send_headers(stream, [(":status", "200")])

    def _ended(self, stream: int, told: bytes) -> None:
        if b":path: /alone" in told:
            self._h2.send_data(stream, b"alone", end_stream=True)
            return
        encoded = re.search(r":path: /encoded\?(\w+)&bomb", told.decode())
        more = [("content-encoding", encoded[1])] if encoded else []
        self._h2.send_headers(stream, [(":status", "200"), *more])
        if encoded:
            self._stream(stream, bomb(encoded[1]))
        elif b":path: /goaway" in told:
            self._h2.close_connection(1, told)
        elif big := re.search(rb":path: /big\?(\d+)", told):
            self._stream(stream, BLOCK, int(big[1]))
        elif b":path: /echo" in told:
            self._h2.send_data(stream, told)
            self._h2.send_headers(stream, [("x-echo", told.decode().replace("\n", " "))], end_stream=True)
        else:
            self._h2.send_data(stream, b"hello over h2", end_stream=True)

    def _stream(self, stream: int, body: bytes, size: int = 0) -> None:
        """The body, or so many bytes of it again and again. As fast as it is taken; the gate's window is larger than any
        test's body."""
        left, most = size or len(body), self._h2.max_outbound_frame_size
        while left > 0:
            start = 0 if size else len(body) - left
            piece = body[start : start + min(most, left)]
            left -= len(piece)
            self._h2.send_data(stream, piece, end_stream=left <= 0)
            self._sock.sendall(self._h2.data_to_send())
