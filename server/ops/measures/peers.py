"""Other proxies, where the machine has them: squid and tinyproxy of Debian, which pass CONNECT on unread."""

import shutil
import socket
import subprocess  # noqa: TID251  # they are processes of their own
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

_START_S: Final = 10.0
_PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"
_SQUID: Final = """\
http_port 127.0.0.1:{port}
http_access allow all
cache deny all
access_log none
cache_log /dev/null
pid_filename none
shutdown_lifetime 0 seconds
"""
_TINYPROXY: Final = "Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 100\n"
_KNOWN: Final = {"squid": (_SQUID, ("-N", "-f")), "tinyproxy": (_TINYPROXY, ("-d", "-c"))}


class DidNotStart(Exception):
    """A proxy that is installed does not listen."""


@contextmanager
def peers(folder: Path) -> Iterator[dict[str, int]]:
    """Those that are installed, by name, and the ports on loopback on which they listen until left."""
    with ExitStack() as stack:
        found: dict[str, int] = {}
        for name, (settings, arguments) in _KNOWN.items():
            if program := shutil.which(name, path=_PATH):
                found[name] = port = _free_port()
                (folder / name).write_text(settings.format(port=port))
                stack.enter_context(_running([program, *arguments, str(folder / name)]))
                _listens(name, port)
        yield found


@contextmanager
def _running(argv: list[str]) -> Iterator[None]:
    nothing = subprocess.DEVNULL
    with subprocess.Popen(argv, stdin=nothing, stdout=nothing, stderr=nothing) as process:  # noqa: S603 - found above
        try:
            yield
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _listens(name: str, port: int) -> None:
    until = time.monotonic() + _START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError as exc:
            if time.monotonic() > until:
                raise DidNotStart(f"{name} does not listen on port {port} after {_START_S:.0f} s") from exc
            time.sleep(0.05)
        else:
            return
