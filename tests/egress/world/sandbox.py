"""The sandbox's side of the gate's socket: a client that says exactly what a test wants it to say."""

import contextlib
import json
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h2.config
import h2.connection
import h2.events

WAIT_S = 8.0


@dataclass(frozen=True)
class Answer:
    """One HTTP answer; status 0 where the connection ended without any."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.body)
        return told

    @property
    def rule(self) -> str:
        return str(self.json["rule"])


NO_ANSWER = Answer(0, {}, b"")


class Sandbox:
    """One connection to the gate. `ca` is the certificate that the sandbox was given to trust."""

    def __init__(self, path: Path, ca: Path) -> None:
        self._ca = ca
        self.sock: socket.socket = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(WAIT_S)
        try:
            self.sock.connect(str(path))
        except OSError:  # the backlog is full
            self.sock.close()
            raise
        self._left = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.sock.close()

    def say(self, text: str | bytes) -> None:
        self.sock.sendall(text.encode() if isinstance(text, str) else text)

    def ask(self, text: str | bytes) -> Answer:
        """Say it and read one answer; the sending may fail where the gate has hung up already."""
        with contextlib.suppress(OSError):
            self.say(text)
        return self.answer()

    def connect(self, authority: str) -> Answer:
        return self.ask(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n")

    def tls(self, name: str | None, protocols: tuple[str, ...] = ("http/1.1",)) -> Self:
        """TLS as the sandbox does it: it trusts the gate's authority alone. name: SNI, and what the certificate must say."""
        context = ssl.create_default_context(cafile=self._ca)
        context.check_hostname = name is not None
        context.set_alpn_protocols(list(protocols))
        self.sock = context.wrap_socket(self.sock, server_hostname=name)
        return self

    def get(self, host: str, path: str = "/", more: str = "") -> Answer:
        return self.ask(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n")

    def answer(self) -> Answer:
        head = self._until(b"\r\n\r\n")
        if not head:
            return NO_ANSWER
        first, *lines = head.decode("latin1").strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        chunked = headers.get("transfer-encoding") == "chunked"
        body = self._chunks() if chunked else self._exactly(int(headers.get("content-length", "0")))
        return Answer(int(first.split(" ")[1]), headers | {":reason": first.partition(" ")[2]}, body)

    def ends(self) -> bool:
        """Whether the gate hangs up without another word."""
        return self._more() == b""

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._left:
            data = self._more()
            if not data:
                return b""
            self._left += data
        head, _, self._left = self._left.partition(mark)
        return bytes(head)

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self._until(b"\r\n") or b"0", 16):
            body += self._exactly(size + 2)[:-2]
        self._until(b"\r\n")
        return body

    def _exactly(self, size: int) -> bytes:
        while len(self._left) < size and (data := self._more()):
            self._left += data
        body = bytes(self._left[:size])
        del self._left[:size]
        return body

    def _more(self) -> bytes:
        try:
            return self.sock.recv(65536)
        except ConnectionError:
            return b""
        except ssl.SSLError:
            return b""

    def read(self, size: int) -> bytes:
        return self._exactly(size)


class Http2:
    """HTTP/2 over a sandbox's TLS connection."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sock = sandbox.sock
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self._h2.initiate_connection()
        self._flush()

    def ask(
        self,
        headers: list[tuple[str, str]],
        body: bytes = b"",
        *,
        more: bool = False,
        trailers: list[tuple[str, str]] | None = None,
    ) -> Answer:
        stream = self._h2.get_next_available_stream_id()
        self._h2.send_headers(stream, headers, end_stream=not (body or more))
        if body:
            self._h2.send_data(stream, body, end_stream=not (more or trailers))
        if trailers:
            self._h2.send_headers(stream, trailers, end_stream=True)
        self._flush()
        return self._answer(stream)

    def take_back(self, headers: list[tuple[str, str]]) -> None:
        """Ask, wait for the first of the answer's body, and say that no more is wanted."""
        stream = self._h2.get_next_available_stream_id()
        self._h2.send_headers(stream, headers, end_stream=True)
        self._flush()
        begun = False
        while not begun and (data := self._sock.recv(65536)):
            for event in self._h2.receive_data(data):
                if isinstance(event, h2.events.DataReceived):
                    begun = True
                    self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            self._flush()
        self._h2.reset_stream(stream)
        self._flush()

    def _flush(self) -> None:
        self._sock.sendall(self._h2.data_to_send())

    def _answer(self, stream: int) -> Answer:
        headers: dict[str, str] = {}
        body = b""
        while data := self._sock.recv(65536):
            for event in self._h2.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived) and event.stream_id == stream:
                    headers = {str(name): str(value) for name, value in event.headers}
                elif isinstance(event, h2.events.TrailersReceived) and event.stream_id == stream:
                    headers |= {str(name): str(value) for name, value in event.headers}
                elif isinstance(event, h2.events.DataReceived) and event.stream_id == stream:
                    body += event.data
                    self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded) and event.stream_id == stream:
                    return Answer(int(headers[":status"]), headers, body)
                elif isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated):
                    return NO_ANSWER
            self._flush()
        return NO_ANSWER


def http2_get(authority: str, path: str, method: str = "GET") -> list[tuple[str, str]]:
    """The pseudo-headers of a request."""
    return [(":method", method), (":scheme", "https"), (":authority", authority), (":path", path)]
