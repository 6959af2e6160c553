"""One connection from a sandbox: its bytes, its clocks and the requests in flight on it.

To mitmproxy a line is both the reader and the writer of the connection, so that nothing is read which a limit forbids.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from egress.destination import Destination
from egress.flight import Flight
from egress.held import Held
from egress.pressure import Pressure
from egress.refusal import Refusal

HEAD_S = 10.0
IDLE_S = 120.0
DIAL_S = 15.0
LINGER_BYTES = 1024 * 1024
LINGER_S = 2.0
MOST_MISSED = 64
MARKED = b"\0mark"

type Cancel = Callable[[], Any]
type Piece = Callable[[], int]
type Complain = Callable[[Refusal], None]


class Line:
    """See the module. `complain` is told why a line was cut; `piece` says how much of a body is read at once."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        complain: Complain,
        piece: Piece,
        pressure: Pressure | None = None,
        held: Held | None = None,
    ) -> None:
        self.pressure = pressure or Pressure()
        self._reader, self._piece = reader, piece
        self._writer = writer
        self._complain = complain
        self._loop = asyncio.get_running_loop()
        # cleared while an upstream connection is dialled: what is read then has to be held
        self._free = asyncio.Event()
        self._free.set()
        self._dials: dict[str, tuple[float, Cancel]] = {}
        self._waiting = 0  # requests that are held for an answer
        self._held = held or Held()
        self._deadline: float | None = self._loop.time() + HEAD_S
        self._idle = False
        self._lingers = False
        self.mark = ""  # what the sandbox's relay says of who opened it
        self._marked = False
        self.tunnel: Destination | None = None
        self.multiplexed = False
        self.flights: dict[str, Flight] = {}
        self.upstreams: set[str] = set()
        self._missed: dict[tuple[str, int], Refusal] = {}

    # What mitmproxy asks of a reader and a writer.

    async def read(self, n: int = -1) -> bytes:
        await self._free.wait()
        await self.pressure.ease(for_client=False)
        data = await (self._reader.read(self._held.at_once(n, self._piece())) if self._marked else self._first(n))
        if self._idle and data and not self.multiplexed:
            self._expect_head(HEAD_S)
        if await self._held.takes(len(data)):
            return data
        self._cut_for("More was sent than the gate holds before it can read a request.")
        return b""

    async def _first(self, n: int) -> bytes:
        """The first bytes, less a relay's mark: MARKED, its length, and so many bytes. Nothing that is judged begins so."""
        self._marked = True
        data = await self._reader.read(n)
        while 0 < len(data) < len(MARKED) and MARKED.startswith(data) and (more := await self._reader.read(n)):
            data += more
        if not data.startswith(MARKED):
            return data
        data = data.removeprefix(MARKED)
        try:
            data += await self._reader.readexactly(max(0, 1 - len(data)))
            data += await self._reader.readexactly(max(0, 1 + data[0] - len(data)))
        except asyncio.IncompleteReadError:
            return b""
        self.mark = data[1 : 1 + data[0]].decode("latin1")
        return data[1 + data[0] :] or await self._reader.read(n)

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def drain(self) -> None:
        await self._writer.drain()

    def is_closing(self) -> bool:
        return self._writer.is_closing()

    def write_eof(self) -> None:
        self._writer.write_eof()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        # a unix socket has no address, and mitmproxy cannot do without one
        return ("127.0.0.1", 0) if name in {"peername", "sockname"} else default

    def close(self) -> None:
        """Close, or only say that we are done where the peer still has to read an answer that came early."""
        if self._lingers and not self._writer.is_closing():
            self._writer.write_eof()
        else:
            self._writer.close()

    # The clocks and bounds.

    def connected(self, tunnel: Destination) -> None:
        """CONNECT was accepted: a TLS handshake and a first request head are due."""
        self.tunnel = tunnel
        self._expect_head(HEAD_S)

    def speaks_http2(self) -> None:
        """Frames of many requests from here on; the HTTP/2 parser bounds their heads itself."""
        self.multiplexed = True
        self._held.lift()

    def took_off(self, name: str, flight: Flight) -> None:
        """A request head was read; its body may now be as long as it likes."""
        self.flights[name] = flight
        self._deadline = None
        self._held.lift()

    def heard_out(self) -> None:
        """The request's body is complete. Whatever is sent before the answer is held, so it is bounded again."""
        self._bound()

    def upgraded(self) -> None:
        """A WebSocket is open: nothing is held any more, nothing needs a bound."""
        self._held.lift()

    def landed(self, name: str) -> Flight | None:
        """The request is over, one way or another."""
        flight = self.flights.pop(name, None)
        if not self.flights:
            self._expect_head(IDLE_S)
            self._idle = True
        return flight

    def _expect_head(self, seconds: float) -> None:
        self._idle = False
        self._deadline = self._loop.time() + seconds
        self._bound()

    def _bound(self) -> None:
        if not self.multiplexed:
            self._held.restart()

    def reached(self, destination: Destination, address: str) -> None:
        """Where the requests that waited for this connection go."""
        for flight in self.flights.values():
            if flight.destination == destination:
                flight.address = address

    def dialling(self, name: str, cancel: Cancel) -> None:
        self._dials[name] = (self._loop.time() + DIAL_S, cancel)
        self._free.clear()

    def dialled(self, name: str) -> None:
        self._dials.pop(name, None)
        self._free_again()

    def waits(self) -> None:
        """A request is held: nothing more is read meanwhile, and nothing is due."""
        self._waiting += 1
        self._deadline = None
        self._free.clear()

    def waited(self) -> None:
        self._waiting -= 1
        if not (self.flights or self._waiting):
            self._expect_head(HEAD_S)
        self._free_again()

    def _free_again(self) -> None:
        if not self._dials and not self._waiting:
            self._free.set()

    def not_dialled(self, refusal: Refusal) -> None:
        """Remember why, for the requests that wait for this connection."""
        self._missed[refusal.host, refusal.port] = refusal
        if len(self._missed) > MOST_MISSED:
            del self._missed[next(iter(self._missed))]

    def why_not_dialled(self, destination: Destination) -> Refusal | None:
        return self._missed.get((destination.host, destination.port))

    def look_at_clock(self, now: float) -> None:
        """Called about once a second."""
        if self._deadline is not None and now > self._deadline:
            self._deadline = None
            if not self._idle:
                self._cut_for(f"No request arrived within {HEAD_S:.0f} seconds.")
            self.abort()
        for deadline, cancel in list(self._dials.values()):
            if now > deadline:
                cancel()

    # Ends.

    def _cut_for(self, reason: str) -> None:
        host, port = (self.tunnel.host, self.tunnel.port) if self.tunnel else ("", 0)
        self._complain(Refusal("egress.limit", reason, host, port))

    def linger(self) -> None:
        """An answer is on its way while the peer is still sending: read on for a moment, or a reset eats the answer."""
        self._lingers = True

    async def finish(self) -> None:
        """The last act on every line: let a lingering peer read, then close for good."""
        if self._lingers:
            await self._throw_away()
        self._writer.close()

    async def _throw_away(self) -> None:
        left = LINGER_BYTES
        try:
            async with asyncio.timeout(LINGER_S):
                while left > 0 and (data := await self._reader.read(65536)):
                    left -= len(data)
        except (OSError, TimeoutError):
            return  # it had its chance

    def abort(self) -> None:
        self._lingers = False
        self._free.set()
        self._held.lift()
        self._writer.transport.abort()
