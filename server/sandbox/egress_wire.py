"""One life of the egress process as its server sees it: the control socket, requests with answers, and events."""

import json
import logging
import socket
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

log = logging.getLogger("sandgate.egress")

REPLY_S = 5.0
LONGEST_LINE = 1024 * 1024

type Event = dict[str, Any]


class GateDown(Exception):
    """The egress process is not running, or did not answer in time; sandboxes have no network meanwhile."""


class GateRefused(Exception):
    """The egress process will not do what it was asked; the message is its own sentence."""


@dataclass(eq=False, slots=True)
class _Reply:
    """A place for one answer; ok stays None where the process died first."""

    arrived: anyio.Event = field(default_factory=anyio.Event)
    ok: bool | None = None
    error: str = ""


class EgressWire:
    """One life of the process, from its start to the end of its control socket."""

    def __init__(self, sock: socket.socket, on_event: Callable[[Event], None]) -> None:
        self._sock = sock
        self._on_event = on_event
        self._unsent = bytearray()
        self._handing = deque[tuple[int, socket.socket]]()  # with the byte of what is unsent that it goes with
        self._writable = anyio.Event()
        self._replies: dict[int, _Reply] = {}
        self._last = 0
        self.trusted = anyio.Event()  # its certificate is on the disk
        self.ready = anyio.Event()
        self.buried = anyio.Event()
        self.ca_cert: Path | None = None

    async def ask(self, message: Mapping[str, Any], handing: socket.socket | None = None) -> None:
        """Send, and wait for the answer. GateRefused, or GateDown where none comes. handing: goes along, and is closed."""
        self._last += 1
        number, reply = self._last, _Reply()
        self._replies[number] = reply
        if handing is not None:
            self._handing.append((len(self._unsent), handing))
        self.tell({**message, "id": number})
        with anyio.move_on_after(REPLY_S):
            await reply.arrived.wait()
        self._replies.pop(number, None)
        if handing is not None:
            handing.close()  # where it was never sent
        if reply.ok is None:
            self.abandon()
            raise GateDown("The egress process did not answer.")
        if not reply.ok:
            raise GateRefused(reply.error)

    def tell(self, message: Mapping[str, Any]) -> None:
        self._unsent += json.dumps(message).encode() + b"\n"
        self._writable.set()

    def abandon(self) -> None:
        """It is dead, or as good as dead: end this life, so that the next can begin."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    async def write(self) -> None:
        """Send what was told, for as long as the process lives."""
        while True:
            await self._writable.wait()
            self._writable = anyio.Event()
            while self._unsent:
                await self._send_some()

    async def _send_some(self) -> None:
        """As far as the next that is handed over: each goes with the first byte of its own message."""
        goes = bool(self._handing) and self._handing[0][0] == 0
        until = next((place for place, _ in self._handing if place), len(self._unsent))
        try:
            along = [self._handing[0][1].fileno()] if goes else []
            sent = socket.send_fds(self._sock, [self._unsent[:until]], along)
        except BlockingIOError:
            await anyio.wait_writable(self._sock)
        except OSError:
            self._unsent.clear()  # the reader sees the end
            self._hand_no_more()
        else:
            if goes:
                self._handing.popleft()[1].close()
            del self._unsent[:sent]
            self._handing = deque((place - sent, each) for place, each in self._handing)

    def _hand_no_more(self) -> None:
        for _, each in self._handing:
            each.close()
        self._handing.clear()

    async def read(self) -> None:
        """Hear answers and events until the process is gone; an error of on_event ends its life too."""
        heard = bytearray()
        try:
            while data := await self._receive():
                heard += data
                while (end := heard.find(b"\n")) >= 0:
                    line = bytes(heard[:end])
                    del heard[: end + 1]
                    self._hear(json.loads(line))
                if len(heard) > LONGEST_LINE:
                    raise ValueError("the egress process sent a line without end")
        finally:
            self._hand_no_more()
            for reply in self._replies.values():
                reply.arrived.set()

    async def _receive(self) -> bytes:
        while True:
            try:
                return self._sock.recv(65536)
            except BlockingIOError:
                await anyio.wait_readable(self._sock)
            except OSError:
                return b""

    def _hear(self, message: Event) -> None:
        match message:
            case {"re": int(number), "ok": bool(ok)}:
                if reply := self._replies.get(number):
                    reply.ok, reply.error = ok, str(message.get("error", ""))
                    reply.arrived.set()
            case {"event": "authority", "ca_cert": str(path)}:
                self.ca_cert = Path(path)
                self.trusted.set()
            case {"event": "ready"}:
                self.ready.set()
            case {"event": _}:
                self._on_event(message)
            case _:
                log.warning("The egress process said something unknown.")
