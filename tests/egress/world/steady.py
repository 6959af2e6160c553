"""Runs inside a sandbox until a file named `stop` is there: asks each host again and again, in three ways.

On a new connection each time (/fresh/N), on one that is kept alive (/kept/N) and on a WebSocket (frames `tick N`), none of
which is opened again once it has ended. HOST.tries has how often it asked anew. Standard library only.
"""

import contextlib
import socket
import sys
import threading
import time
from collections import deque
from pathlib import Path

RELAY = ("127.0.0.1", 3128)
EVERY_S = 0.05
AT_ONCE = 10  # for two seconds each
UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def going_on(pause_s: float = EVERY_S) -> bool:
    time.sleep(pause_s)
    return not Path("stop").exists()


def ask(sock: socket.socket, text: str) -> bytes:
    sock.sendall(text.encode())
    answer = sock.recv(65536)
    if not answer:
        raise ConnectionError
    return answer


def tunnel(host: str) -> socket.socket:
    sock = socket.create_connection(RELAY, timeout=20)
    ask(sock, f"CONNECT {host}:80 HTTP/1.1\r\nHost: {host}:80\r\n\r\n")
    return sock


def fresh(host: str) -> None:
    """It waits for no answer, so it asks as often whether the gate is quick, slow or stopped."""
    number, open_ones = 0, deque[socket.socket]()
    while going_on(4 * EVERY_S):
        number += 1
        with contextlib.suppress(OSError):
            open_ones.append(socket.create_connection(RELAY, timeout=5))
            open_ones[-1].sendall(f"GET http://{host}/fresh/{number} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        if len(open_ones) > AT_ONCE:
            open_ones.popleft().close()
        Path(f"{host}.new").write_text(str(number))
        Path(f"{host}.new").replace(f"{host}.tries")


def kept(host: str) -> None:
    number = 0
    with contextlib.suppress(OSError), tunnel(host) as sock:
        while going_on():
            number += 1
            ask(sock, f"GET /kept/{number} HTTP/1.1\r\nHost: {host}\r\n\r\n")


def websocket(host: str) -> None:
    number = 0
    with contextlib.suppress(OSError), tunnel(host) as sock:
        ask(sock, f"GET /ws HTTP/1.1\r\nHost: {host}\r\n{UPGRADE}\r\n")
        while going_on():
            number += 1
            said = f"tick {number}".encode()
            sock.sendall(bytes([0x81, 0x80 | len(said)]) + bytes(4) + said)
            sock.recv(65536)


def main(hosts: list[str]) -> None:
    for host in hosts:
        for way in (fresh, kept, websocket):
            threading.Thread(target=way, args=[host]).start()


if __name__ == "__main__":
    main(sys.argv[1:])
