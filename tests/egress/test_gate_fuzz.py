"""Bytes that nobody would send on purpose, a few hundred kinds of them: each is answered or cut, and no parser falls over."""

import contextlib
import random
from pathlib import Path

import h2.config
import h2.connection
import h2.exceptions
import pytest

from tests.egress.test_gate import UPGRADE
from tests.egress.world.town import Guest, opened

CASES = 240
BITS = [
    b"\r", b"\n", b"\0", b"\r\n", b"\r\n ", b"\r\n\r\n", b":", b" ", b"\t", b"\x0b", b"\x85", b"\xff", b"%", b"//", b"http://",
    b"[", b"]", b"@", b";", b",", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 1\r\n", b"Content-Length: -1\r\n",
    b"Expect: 100-continue\r\n", b"Upgrade: h2c\r\n", b"\xe2\x80\xae", b"0x1\r\n", b"HTTP/9.9", b"9" * 20, b"\xc0\xaf", b"xn--",
]  # fmt: skip


class Dice:
    """Mutations that are the same in every run of a seed."""

    def __init__(self, seed: int, at: str) -> None:
        self._random, self._at = random.Random(seed), at.encode()

    def pick[T](self, *choices: T) -> T:
        return self._random.choice(choices)

    def http1(self) -> bytes:
        host = b"Host: " + self._at + b"\r\n"
        body = b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        return self.mutated(
            self.pick(
                b"GET / HTTP/1.1\r\n" + host + b"X-A: b\r\n\r\n",
                b"POST /x HTTP/1.1\r\n" + host + body,
                b"POST /x HTTP/1.1\r\n" + host + b"Content-Length: 3\r\n\r\nabc",
                b"GET /ws HTTP/1.1\r\n" + host + UPGRADE.encode() + b"\r\n\x82\x84abcd",
                b"CONNECT " + self._at + b" HTTP/1.1\r\n" + host + b"\r\n",
                b"GET http://" + self._at + b"/ HTTP/1.1\r\n" + host + b"\r\n",
            )
        )

    def http2(self) -> bytes:
        loose = h2.config.H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False)
        speaker = h2.connection.H2Connection(loose)
        speaker.initiate_connection()
        fields = [
            (b":method", self.pick(b"GET", b"POST", b"", b"CONNECT")),
            (b":scheme", self.pick(b"https", b"http", b"")),
            (b":authority", self.pick(self._at, b"", b"x y", b"\xff")),
            (b":path", self.pick(b"/", b"", b"*", b"/\r\nx", b"\0")),
            (
                self.pick(b"a", b"A", b"host", b"te", b":x", b"transfer-encoding"),
                self.pick(b"", b"\r\n", b"\0", b" x "),
            ),
        ]
        with contextlib.suppress(h2.exceptions.ProtocolError):
            speaker.send_headers(1, fields, end_stream=self.pick(True, False))
            speaker.send_data(1, b"x" * 20, end_stream=self.pick(True, False))
            speaker.send_headers(1, [(b"x", b"y")], end_stream=True)
        sent = speaker.data_to_send()
        return self.pick(sent, self.mutated(sent))

    def mutated(self, data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(self._random.randint(1, 4)):
            at, how = self._random.randrange(len(changed) + 1), self._random.random()
            if how < 0.6:
                changed[at:at] = self._random.choice(BITS)
            elif how < 0.8:
                del changed[at : at + 5]
            else:
                changed[at:at] = bytes(changed[:40])
        return bytes(changed)


def thrown(guest: Guest, dice: Dice) -> None:
    protocol = dice.pick("", "http/1.1", "h2")
    with guest.dial() as sandbox, contextlib.suppress(OSError):
        if protocol:
            sandbox.connect(guest.at("allowed.test"))
            sandbox.tls("allowed.test", (protocol,))
        sandbox.say(dice.http2() if protocol == "h2" else dice.http1())
        sandbox.sock.settimeout(0.05)
        sandbox.sock.recv(65536)


@pytest.mark.promise("egress.names_agree")
def test_whatever_is_thrown_at_it_no_parser_falls_over(tmp_path: Path) -> None:
    with opened(tmp_path) as town:
        guest = town.session("allowed.test", "allowed.test:80")
        for seed in range(CASES):
            thrown(guest, Dice(seed, guest.at("allowed.test")))
        with guest.tunnel("allowed.test") as sandbox:
            assert sandbox.get(guest.at("allowed.test")).status == 200

    assert "denied" not in town.arrived.decode("latin1")
    assert "gave up" not in town.gate.log
    assert "Traceback" not in town.gate.log
