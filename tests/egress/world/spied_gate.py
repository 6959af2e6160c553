"""The gate as it is, but its DNS is a table, and it writes down every name it looks up."""

import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

from egress.__main__ import main

TABLE: dict[str, list[str]] = json.loads(os.environ["SPY_TABLE"])
NEVER_S = 6  # until the system gives up
LOG = Path(os.environ["SPY_LOG"])


def getaddrinfo(host: str, port: int, **_how: Any) -> list[Any]:
    with LOG.open("a") as log:
        log.write(f"{host}\n")
    if host not in TABLE:
        raise socket.gaierror(f"{host} is not in the table")
    if TABLE[host] == ["never"]:
        time.sleep(NEVER_S)
        raise socket.gaierror(f"nobody answers for {host}")
    kinds = {True: socket.AF_INET6, False: socket.AF_INET}
    return [(kinds[":" in ip], socket.SOCK_STREAM, 6, "", (ip, port)) for ip in TABLE[host]]


socket.getaddrinfo = getaddrinfo  # type: ignore[assignment]  # the fake knows only what the gate asks
main(sys.argv[1:])
