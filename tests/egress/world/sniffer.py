"""Every packet on an interface, from the kernel's own tap."""

import ipaddress
import select
import socket
import struct
import threading
from typing import Any

_ALL = 0x0003
_PACKET, _STATISTICS = 263, 6  # SOL_PACKET, PACKET_STATISTICS
_BUFFER_FORCE = 33  # SO_RCVBUFFORCE
_NANOSECONDS = 35  # SO_TIMESTAMPNS, and the kind of its message
_OUTGOING = 4
_IP, _IP6 = 0x0800, 0x86DD
_PROTOCOLS = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 58: "icmp6"}
_LINKS_OWN = {*range(130, 138), 143}  # ICMPv6 by which neighbours and groups are found
_SYN, _ACK = 0x02, 0x10
_SHOWN = 400


class Sniffer:
    """Sees one interface of the namespace it is made in, and adds to `seen`. `outgoing`: what is sent, else what arrives."""

    def __init__(self, interface: str, seen: list[dict[str, Any]], *, outgoing: bool) -> None:
        self._interface, self._outgoing = interface, outgoing
        self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL))
        self._sock.setsockopt(socket.SOL_SOCKET, _BUFFER_FORCE, 64 << 20)
        self._sock.setsockopt(socket.SOL_SOCKET, _NANOSECONDS, 1)
        self._sock.bind((interface, _ALL))
        self._sock.setblocking(False)
        self._lock = threading.Lock()
        self._seen = seen
        self._dropped = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while select.select([self._sock], [], []):
            self.drain()

    def drain(self) -> None:
        """Take in all of it until now; RuntimeError where the kernel dropped a packet, for then nothing is known."""
        with self._lock:
            while (packet := self._next()) is not None:
                self._seen += [packet] if packet else []
            self._dropped += struct.unpack("II", self._sock.getsockopt(_PACKET, _STATISTICS, 8))[1]
            if self._dropped:
                raise RuntimeError(f"{self._dropped} packets were not seen")

    def _next(self) -> dict[str, Any] | None:
        try:
            data, control, _, (_, kind, direction, *_) = self._sock.recvmsg(65536, 64)
        except BlockingIOError:
            return None
        if (direction == _OUTGOING) is not self._outgoing:
            return {}
        seconds, nanoseconds = struct.unpack("qq", control[0][2])
        found = _ip(data) if kind == _IP else _ip6(data) if kind == _IP6 else {}
        return {"when": seconds + nanoseconds / 1e9, "on": self._interface, **found} if found else {}


def _ip(data: bytes) -> dict[str, Any]:
    length = struct.unpack_from("!H", data, 2)[0]
    ends = {"source": str(ipaddress.IPv4Address(data[12:16])), "target": str(ipaddress.IPv4Address(data[16:20]))}
    return ends | _carried(data[9], data[(data[0] & 15) * 4 : length or None])


def _ip6(data: bytes) -> dict[str, Any]:
    if data[6] == 0 and data[40] == 58:  # a hop-by-hop option, which only group reports have here
        return {}
    ends = {"source": str(ipaddress.IPv6Address(data[8:24])), "target": str(ipaddress.IPv6Address(data[24:40]))}
    carried = _carried(data[6], data[40:])
    return {} if carried.get("type") in _LINKS_OWN else ends | carried


def _carried(number: int, data: bytes) -> dict[str, Any]:
    protocol = _PROTOCOLS.get(number, str(number))
    match protocol:
        case "tcp":
            _, port = struct.unpack_from("!HH", data)
            said = data[(data[12] >> 4) * 4 :]
            opens = data[13] & (_SYN | _ACK) == _SYN
            return {"protocol": protocol, "port": port, "opens": opens, "said": _shown(said)}
        case "udp":
            _, port = struct.unpack_from("!HH", data)
            return {"protocol": protocol, "port": port, "opens": True, "said": _shown(data[8:])}
        case "icmp" | "icmp6":
            return {"protocol": protocol, "port": 0, "opens": True, "said": _shown(data[8:]), "type": data[0]}
        case _:
            return {"protocol": protocol, "port": 0, "opens": True, "said": _shown(data)}


def _shown(data: bytes) -> str:
    return data[:_SHOWN].decode("latin1")
