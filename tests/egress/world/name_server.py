"""A name server that answers as the zone says, differently each time where it says so, and writes down every question."""

import ipaddress
import socket
import threading
import time
from collections import Counter
from typing import Any

from mitmproxy import dns
from mitmproxy.net.dns import response_codes, types

from tests.egress.world.zone import SLOW, TTL_S, ZONE


def _zone_name(name: str) -> str | None:
    if name in ZONE:
        return name
    parent = name
    while "." in parent:
        parent = parent.partition(".")[2]
        if f"*.{parent}" in ZONE:
            return f"*.{parent}"
    return None


class NameServer:
    """Listens on UDP from construction on. `asked` has a {when, name, type} for each question."""

    def __init__(self, address: str) -> None:
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind((address, 53))
        self.asked: list[dict[str, Any]] = []
        self._turns = Counter[tuple[str, int]]()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            packet, sender = self._sock.recvfrom(4096)
            message = dns.DNSMessage.unpack(packet)
            asked = message.questions[0]
            name = asked.name.encode("idna").decode().lower()  # which is what was sent; mitmproxy decodes it
            self.asked.append({"when": time.time(), "name": name, "type": types.to_str(asked.type)})
            answer = self._answer(message, name).packed
            threading.Timer(SLOW.get(name, 0), self._sock.sendto, [answer, sender]).start()

    def _answer(self, message: dns.DNSMessage, name: str) -> dns.DNSMessage:
        if _zone_name(name) is None:
            return message.fail(response_codes.NXDOMAIN)
        return message.succeed(self._records(name, message.questions[0].type))

    def _records(self, name: str, kind: int) -> list[dns.ResourceRecord]:
        found: list[dns.ResourceRecord] = []
        for text in self._turn(name, kind):
            try:
                address = ipaddress.ip_address(text)
            except ValueError:
                found += [dns.ResourceRecord.CNAME(name, text, ttl=TTL_S), *self._records(text, kind)]
                continue
            if isinstance(address, ipaddress.IPv4Address) and kind == types.A:
                found.append(dns.ResourceRecord.A(name, address, ttl=TTL_S))
            elif isinstance(address, ipaddress.IPv6Address) and kind == types.AAAA:
                found.append(dns.ResourceRecord.AAAA(name, address, ttl=TTL_S))
        return found

    def _turn(self, name: str, kind: int) -> list[str]:
        known = _zone_name(name)
        if known is None:
            return []
        number = self._turns[name, kind] if (kind in {types.A, types.AAAA}) else 0
        self._turns[name, kind] += 1
        return list(ZONE[known][min(number, len(ZONE[known]) - 1)])
