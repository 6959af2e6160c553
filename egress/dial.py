"""The last step outward: names become addresses once, and the process connects to nothing else.

The loop below is default-deny. A connection is made only in a task for which addresses were pinned, and only to those;
so what was judged is what is dialled, and nothing in this process can look a name up on the side. Where the operator has
named a proxy, its addresses are pinned, and it is asked for what was judged before anything else is said.
"""

import asyncio
import functools
import re
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from egress.destination import Address, Destination, Network, address_of, clip, why_private
from egress.lookups import THREADS, Lookups
from egress.refusal import BAD_GATEWAY, Refusal, Refused, refuse

LOOKUP_S = 10.0
LONGEST_ANSWER = 16 * 1024  # of a proxy

_GRANTED = re.compile(r"HTTP/1\.[01] 2\d\d\b")

type Info = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int] | tuple[str, int, int, int]]


@dataclass(frozen=True, slots=True)
class Pin:
    """Where a task may connect to. With `through`: on which port a proxy is there, and what it is asked for."""

    addresses: tuple[Address, ...] = ()
    port: int = 0
    through: Destination | None = None


class PinnedLoop(asyncio.SelectorEventLoop):
    """An event loop that connects only where the running task has a pin."""

    def __init__(self) -> None:
        super().__init__()
        self._pins: WeakKeyDictionary[asyncio.Task[Any], Pin] = WeakKeyDictionary()
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="lookup")
        self.set_default_executor(self.threads)

    def pin(self, pin: Pin) -> None:
        """From now on the current task may connect there."""
        task = asyncio.current_task(self)
        if task is not None:
            self._pins[task] = pin

    def _pinned(self) -> Pin:
        task = asyncio.current_task(self)
        return self._pins.get(task, Pin()) if task is not None else Pin()

    async def getaddrinfo(self, _host: Any, port: Any, **_how: Any) -> list[Info]:  # type: ignore[override]  # narrower
        """The pinned addresses of the running task. No lookup happens here."""
        pin = self._pinned()
        found = [_info(address, pin.port if pin.through else int(port or 0)) for address in pin.addresses]
        if not found:
            raise OSError("no address was pinned for this connection")
        return found

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        pin = self._pinned()
        if sock.family != socket.AF_UNIX and address_of(address[0]) not in pin.addresses:
            raise OSError("this connection was never allowed")
        await super().sock_connect(sock, address)
        if pin.through is not None:
            await self._ask_proxy(sock, pin.through)

    async def _ask_proxy(self, sock: socket.socket, wanted: Destination) -> None:
        """OSError where it says no. Byte by byte, for what follows its answer is the origin's."""
        await self.sock_sendall(sock, f"CONNECT {wanted} HTTP/1.1\r\nHost: {wanted}\r\n\r\n".encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            byte = await self.sock_recv(sock, 1)
            answer += byte
            if not byte or len(answer) > LONGEST_ANSWER:
                raise OSError("the proxy of [egress] in the settings hung up, or is none")
        first = answer.partition(b"\r\n")[0].decode("latin1")
        if not _GRANTED.match(first):
            raise OSError(f"the proxy of [egress] in the settings answered {clip(first, 100)}")


def _info(address: Address, port: int) -> Info:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004  the version of IP
    where = (str(address), port) if family is socket.AF_INET else (str(address), port, 0, 0)
    return family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", where


@dataclass(frozen=True, slots=True)
class Dialler:
    """Where names lead. `listed` are the operator's networks, `hosts` a static table that is asked before DNS.

    proxy: what looks up, and connects to, every other name.
    """

    listed: tuple[Network, ...] = ()
    hosts: Mapping[str, Address] = field(default_factory=dict)
    proxy: Destination | None = None

    async def aim(self, destination: Destination, lookups: Lookups) -> Pin:
        """Where a connection to it is made; Refused where that may not be."""
        if self.proxy is None or destination.literal is not None or destination.host in self.hosts:
            return Pin(await self.addresses(destination, lookups))
        return Pin(await self._found(self.proxy, lookups), self.proxy.port, destination)

    async def addresses(self, destination: Destination, lookups: Lookups) -> tuple[Address, ...]:
        """The addresses that may be connected to; Refused where there is none, or none that is not private."""
        found = await self._found(destination, lookups)
        reasons = [(address, self._why_not(address)) for address in found]
        usable = tuple(address for address, reason in reasons if reason is None)
        if not usable:
            address, reason = reasons[0]
            text = f"{destination.host} leads to {address}, {reason}, which [egress] networks in the settings does not list."
            raise refuse("egress.private_address", text, destination.host, destination.port)
        return usable

    def _why_not(self, address: Address) -> str | None:
        reason = why_private(address, self.listed)
        if reason is None and not any(address in net for net in self.listed) and is_own(address):
            return "an address of the gate's own host"
        return reason

    async def _found(self, destination: Destination, lookups: Lookups) -> tuple[Address, ...]:
        fixed = destination.literal or self.hosts.get(destination.host)
        return (fixed,) if fixed is not None else await _look_up(destination, lookups)


async def _look_up(destination: Destination, lookups: Lookups) -> tuple[Address, ...]:
    loop = asyncio.get_running_loop()
    if not isinstance(loop, PinnedLoop):
        raise TypeError("the gate runs on a loop that would connect anywhere")
    ask = functools.partial(socket.getaddrinfo, destination.host, destination.port, type=socket.SOCK_STREAM)
    try:
        async with asyncio.timeout(LOOKUP_S):
            answers = await lookups.ask(ask, loop.threads)
    except (OSError, UnicodeError, TimeoutError) as error:
        raise Refused(_unresolved(destination)) from error
    found = dict.fromkeys(address_of(str(answer[4][0]).partition("%")[0]) for answer in answers)
    addresses = tuple(address for address in found if address is not None)
    if not addresses:
        raise Refused(_unresolved(destination))
    return addresses


def _unresolved(destination: Destination) -> Refusal:
    reason = f"{destination.host} was not reached: its name does not resolve."
    return Refusal("egress.error", reason, destination.host, destination.port, BAD_GATEWAY)


def is_own(address: Address) -> bool:
    """Whether the kernel would deliver to this very host: then it also sends from that address. No packet leaves."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004  the version of IP
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), 9))
            return address_of(probe.getsockname()[0]) == address
    except OSError:
        return False  # no route there, so no way to ourselves either
