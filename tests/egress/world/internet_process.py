"""The fake internet: a process with two network namespaces, of which the kernel leaves nothing once it has ended.

    gate's namespace            the internet's namespace
    lo, wire 11.22.33.1  <----> wire 11.22.33.2, and on lo every address of the zone

It writes one JSON line when all of it stands. Each line that it reads says how much is known; what is new is the answer.
"""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.egress.world.certificates import FakeAuthority
from tests.egress.world.name_server import NameServer
from tests.egress.world.origin import Heard, Origin
from tests.egress.world.sniffer import Sniffer
from tests.egress.world.zone import HOME, HOME_6, NAME_SERVER, ROUTER, ROUTER_6, STANDING, STANDING_6

NAMES = (
    "allowed.test",
    "*.allowed.test",
    "other.test",
    "paths.test",
    "port.test",
    "raw.test",
    "xn--bcher-kva.test",
    "denied.test",
    "*.denied.test",
    "*.exfil.test",
)
SECURE = {443: ("h2", "http/1.1"), 8443: ("http/1.1",)}
PLAIN, OPEN = (80, 8080, 9999), (22, 25, 5432)  # the last accept, and say nothing
OWN_PORT = 9999  # of a service that only the gate's own host should reach


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def _quiet(interface: str) -> None:
    """A wire that carries what programs say and nothing by itself."""
    Path(f"/proc/sys/net/ipv6/conf/{interface}/addr_gen_mode").write_text("1")
    Path(f"/proc/sys/net/ipv6/conf/{interface}/accept_ra").write_text("0")


def _namespace() -> int:
    os.unshare(os.CLONE_NEWNET)
    _ip("link", "set", "lo", "up")
    return os.open("/proc/self/ns/net", os.O_RDONLY)


@contextmanager
def _within(namespace: int, back: int) -> Iterator[None]:
    os.setns(namespace, os.CLONE_NEWNET)
    yield
    os.setns(back, os.CLONE_NEWNET)


def _wire(home: int, internet: int) -> None:
    with _within(internet, internet):
        _ip("link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", f"/proc/{os.getpid()}/fd/{home}")
        _end(ROUTER, ROUTER_6, HOME, HOME_6)
        for address in STANDING:
            _ip("address", "add", f"{address}/32", "dev", "lo")
        for address in STANDING_6:
            _ip("address", "add", f"{address}/128", "dev", "lo", "nodad")
        _ip("route", "add", "unreachable", "default", "metric", "9")
    with _within(home, internet):
        _end(HOME, HOME_6, ROUTER, ROUTER_6)
        _ip("route", "add", "default", "via", ROUTER, "dev", "wire", "onlink")
        _ip("-6", "route", "add", "default", "via", ROUTER_6, "dev", "wire", "onlink")


def _end(mine: str, mine_6: str, other: str, other_6: str) -> None:
    _quiet("wire")
    _ip("link", "set", "wire", "up")
    _ip("address", "add", mine, "peer", other, "dev", "wire")
    _ip("address", "add", f"{mine_6}/128", "peer", other_6, "dev", "wire", "nodad")


def _told(heard: Heard, head: bytes) -> dict[str, Any]:
    where = {"address": heard.address, "port": heard.port, "tls": heard.tls, "sni": heard.sni}
    return {**where, "head": head.decode("latin1")}


def main(folder: Path) -> None:
    packets: list[dict[str, Any]] = []
    diary: list[tuple[Heard, bytes]] = []
    home = _namespace()
    _own = Origin(None, ("::", OWN_PORT), diary)
    loopback = Sniffer("lo", packets, outgoing=True)
    internet = _namespace()
    _wire(home, internet)
    wire = Sniffer("wire", packets, outgoing=False)
    names = NameServer(NAME_SERVER)
    authority = FakeAuthority(folder)
    _origins = [
        Origin(authority.context(*NAMES, protocols=spoken), ("::", port), diary) for port, spoken in SECURE.items()
    ]
    _origins += [Origin(None, ("::", port), diary) for port in PLAIN]
    _mute = [socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True) for port in OPEN]
    print(json.dumps({"home": f"/proc/{os.getpid()}/fd/{home}"}), flush=True)  # noqa: T201  to whoever started us
    for line in sys.stdin:
        known = json.loads(line)
        loopback.drain()
        wire.drain()
        told = {
            "packets": packets[known["packets"] :],
            "lookups": names.asked[known["lookups"] :],
            "requests": [_told(*noted) for noted in diary[known["requests"] :]],
        }
        print(json.dumps(told), flush=True)  # noqa: T201


if __name__ == "__main__":
    threading.stack_size(1 << 20)
    main(Path(sys.argv[1]))
