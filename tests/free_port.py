"""A port of loopback for a program that has to be told one."""

import secrets
import socket
from contextlib import suppress
from pathlib import Path


def free_port() -> int:
    """Below those that the kernel gives to whoever asks for any: none of a thousand connections elsewhere takes it meanwhile."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = lowest // 2 + secrets.randbelow(lowest // 2)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
