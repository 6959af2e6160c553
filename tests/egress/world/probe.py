"""Runs inside a sandbox: says what each case says, one after another, and when. Standard library only.

`probe.py CASES SAW`: for each line of CASES the words of `do` are run, `curl ...` as the program, `py ...` as Python, and
`raw ...` as the client below, which says exactly what it is told to. SAW gets {id, began, ended, saw} for each.
"""

import argparse
import codecs
import contextlib
import io
import json
import os
import shlex
import socket
import ssl
import struct
import subprocess
import sys
import time
from pathlib import Path

RELAY = ("127.0.0.1", 3128)
GATE = "/run/sandgate/egress.sock"
PATIENCE_S = 4.0
MOST = 4000
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")
ENDS, RESET, AWAY = 0x01, 3, 7


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", default="relay", help="`relay`, `gate` (its socket) or host:port")
    parser.add_argument("--connect", help="a CONNECT to this first, and its answer read")
    parser.add_argument("--tls", help="a handshake with this name, `-` for none")
    parser.add_argument("--alpn", default="")
    parser.add_argument("--send", action="append", default=[], help="bytes with escapes; an answer is read after each")
    parser.add_argument("--h2", action="append", default=[], help="header fields of a request, as JSON")
    parser.add_argument("--times", type=int, default=1, help="how often what is sent is repeated within one write")
    parser.add_argument("--wait", type=float, default=PATIENCE_S, help="seconds of silence until it goes on")
    parser.add_argument("--half", action="store_true", help="say that nothing more will be sent")
    return parser


class Client:
    def __init__(self, told: argparse.Namespace) -> None:
        self.left = b""
        self.streams = 0
        if told.to == "gate":
            self.sock: socket.socket = socket.socket(socket.AF_UNIX)
            self.sock.connect(GATE)
        else:
            host, _, port = told.to.rpartition(":")
            self.sock = socket.create_connection((host, int(port)) if host else RELAY, timeout=PATIENCE_S)
        self.sock.settimeout(PATIENCE_S)

    def tunnel(self, authority: bytes) -> bytes:
        return self.said(b"CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (authority, authority))

    def secure(self, name: str, alpn: str) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if alpn:
            context.set_alpn_protocols([alpn])
        self.sock = context.wrap_socket(self.sock, server_hostname=None if name == "-" else name)

    def said(self, data: bytes) -> bytes:
        with contextlib.suppress(OSError):
            self.sock.sendall(data)
        return self.answer()

    def answer(self) -> bytes:
        """One HTTP/1 answer, or all that comes until silence or the end."""
        while b"\r\n\r\n" not in self.left and self.more():
            pass
        head, mark, rest = self.left.partition(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        chunked = b"transfer-encoding: chunked" in head.lower()
        while mark and (len(rest) < length or (chunked and not rest.endswith(b"0\r\n\r\n"))) and self.more():
            rest = self.left.partition(b"\r\n\r\n")[2]
        answer, self.left = self.left, b""
        return answer

    def more(self) -> bool:
        try:
            data = self.sock.recv(65536)
        except OSError:
            return False
        self.left += data
        return bool(data)

    def request(self, fields: list[list[str]]) -> bytes:
        """A HEADERS frame with these fields as they are, none of them compressed, and what it is answered."""
        stream, self.streams = 2 * self.streams + 1, self.streams + 1
        block = b"".join(b"\0" + _text(name) + _text(value) for name, value in fields)
        frame = len(block).to_bytes(3, "big") + bytes([1, 5]) + struct.pack("!I", stream) + block
        with contextlib.suppress(OSError):
            self.sock.sendall((PREFACE if stream == 1 else b"") + frame)
        return self.frames(stream)

    def frames(self, stream: int) -> bytes:
        seen = b""
        while len(self.left) >= 9 or self.more():
            size = int.from_bytes(self.left[:3], "big") + 9
            while len(self.left) < size:
                if not self.more():
                    return seen
            frame, self.left = self.left[:size], self.left[size:]
            seen += frame[9:]
            about = int.from_bytes(frame[5:9], "big") == stream
            if frame[3] == AWAY or (about and (frame[3] == RESET or (frame[3] in {0, 1} and frame[4] & ENDS))):
                return seen
        return seen


def _text(text: str) -> bytes:
    data = _bytes(text)
    return (
        bytes([len(data)]) if len(data) < 127 else bytes([127, (len(data) - 127) & 127 | 128, (len(data) - 127) >> 7])
    ) + data


def _bytes(text: str) -> bytes:
    return codecs.escape_decode(text.encode())[0]


def raw(words: list[str]) -> bytes:
    told = options().parse_args(words)
    client = Client(told)
    saw = b""
    with contextlib.closing(client.sock):
        if told.connect:
            saw += client.tunnel(_bytes(told.connect))
        if told.tls:
            client.secure(told.tls, told.alpn)
        client.sock.settimeout(told.wait)
        for fields in told.h2:
            saw += client.request(json.loads(fields))
        for text in told.send:
            saw += client.said(_bytes(text) * told.times)
        if told.half:
            client.sock.shutdown(socket.SHUT_WR)
            saw += client.answer()
        client.sock.close()
    return saw


def python(text: str) -> bytes:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(text, {"__name__": "case"})
    return out.getvalue().encode()


def run(line: str) -> bytes:
    program, _, rest = os.path.expandvars(line).partition(" ")
    try:
        if program == "py":
            return python(rest)
        words = shlex.split(rest)
        if program == "raw":
            return raw(words)
        argv = ["curl", "-sS", "--max-time", "8", *words]
        done = subprocess.run(argv, capture_output=True, timeout=15, check=False)
        return done.stdout + done.stderr
    except Exception as error:  # noqa: BLE001  whatever goes wrong for it, the next case has its turn
        return f"{type(error).__name__}: {error}".encode()


def main(cases: Path, saw: Path) -> None:
    socket.setdefaulttimeout(PATIENCE_S)
    with saw.open("w") as file:
        for line in cases.read_text().splitlines():
            case = json.loads(line)
            began = time.time()
            seen = b"\n".join(run(words) for words in case["do"])
            told = {"id": case["id"], "began": began, "ended": time.time(), "saw": seen[:MOST].decode("latin1")}
            file.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
