"""mitmproxy's handler of one client connection, put on a line of ours. One of the places that know its inner seams."""

import asyncio
import logging
import sys
import time
import traceback
from collections import defaultdict
from contextlib import suppress
from typing import Any

from mitmproxy.connection import Server
from mitmproxy.master import Master
from mitmproxy.proxy.commands import StartHook
from mitmproxy.proxy.events import DataReceived, Event
from mitmproxy.proxy.layers.modes import HttpProxy
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler
from mitmproxy.proxy.mode_specs import ProxyMode

from egress.cause import Cause, cause
from egress.held import Held
from egress.hooks import OpenedHook
from egress.line import Line, Piece
from egress.pressure import Pressure
from egress.session import MOST_UPSTREAMS, Session

_MODE = ProxyMode.parse("regular")


def _where(exc_info: Any) -> str:
    error: BaseException | None = sys.exception() if exc_info is True else exc_info[1]
    if error is None:
        return "no exception"
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {last.name}, {last.filename}:{last.lineno}"


class Upstream:
    """The reader of a connection to an origin, which may not send an endless response head either."""

    def __init__(self, reader: Any, pressure: Pressure, piece: Piece, held: Held | None = None) -> None:
        self._reader, self._pressure, self._piece = reader, pressure, piece
        self.held = held or Held()
        self._opening = set[str]()
        self._goes_on = asyncio.Event()
        self._goes_on.set()

    def opening(self, flow: str, *, more: bool) -> None:
        """While there is more of an answer to open than was taken of it, nothing is read."""
        (self._opening.add if more else self._opening.discard)(flow)
        (self._goes_on.clear if self._opening else self._goes_on.set)()

    async def read(self, n: int = -1) -> bytes:
        await self._goes_on.wait()
        await self._pressure.ease(for_client=True)
        data: bytes = await self._reader.read(self.held.at_once(n, self._piece()))
        return data if await self.held.takes(len(data)) else b""


class Paced:
    """A reader that hands on what it has read when it is its session's turn."""

    def __init__(self, reader: Any, session: Session) -> None:
        self._reader, self._session = reader, session

    async def read(self, n: int = -1) -> bytes:
        data: bytes = await self._reader.read(min(n, self._session.bite.size))
        await self._session.turns.take(self._session)
        return data


class Connection(ProxyConnectionHandler):
    """See the module. The session is that of the socket the bytes came on; nothing a program sends can change it."""

    def __init__(self, master: Master, session: Session, line: Line) -> None:
        reader = Paced(line, session)
        super().__init__(master, reader, line, master.options, _MODE)  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
        self.session = session
        self.line = line
        self.upstreams: dict[str, Upstream] = {}
        # five of them by default; the sixth HTTP/2 stream to an HTTP/1 origin would wait, and its dial time out
        self.max_conns = defaultdict(lambda: asyncio.Semaphore(MOST_UPSTREAMS))
        self.layer = HttpProxy(self.layer.context)

    def log(self, message: str, level: int = logging.INFO, exc_info: Any = None) -> None:
        if exc_info:
            self.line.abort()  # a crashed parser would leave the program waiting for ever
            super().log(
                f"A parser gave up: {_where(exc_info)}.", level
            )  # their text may hold what was sent, a secret too
        elif level >= logging.ERROR:
            super().log(message, level)

    async def handle_hook(self, hook: StartHook) -> None:
        """As mitmproxy does it, less its round of `update` hooks for displays, a tenth of the time of a request."""
        with self.timeout_watchdog.disarm():
            with suppress(OSError):
                await self.line.drain()  # one read may hold a thousand requests, and answers that nobody takes pile up
            if isinstance(hook, OpenedHook):
                await self._taken(hook)
            await self.session.turns.take(self.session)
            await self.master.addons.trigger_event(hook)

    async def _taken(self, hook: OpenedHook) -> None:
        if upstream := self.upstreams.get(hook.flow.server_conn.id):
            upstream.opening(hook.flow.id, more=hook.more)
        await self.line.pressure.ease(for_client=True, unless=self.line.is_closing)

    async def server_event(self, event: Event) -> None:
        began = time.thread_time()
        await super().server_event(event)
        if isinstance(event, DataReceived):
            self.session.bite.took(time.thread_time() - began, time.monotonic())

    @property
    def cause(self) -> Cause:
        """Whose connection this is, as far as that is known now."""
        return cause(self.line.mark, self.session.decisions)

    def watch(self, server: Server) -> None:
        """Bound what this origin may send before its response head is complete."""
        transport = self.transports[server]
        upstream = Upstream(transport.reader, self.line.pressure, lambda: self.session.piece)
        self.upstreams[server.id] = upstream
        transport.reader = Paced(upstream, self.session)  # type: ignore[assignment]  # all that is asked of it is read()

    def give_up(self, server: Server) -> None:
        """End a dial that takes too long."""
        transport = self.transports.get(server)
        if transport is not None and transport.handler is not None:
            transport.handler.cancel("the connection took too long")
