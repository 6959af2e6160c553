"""`python -P -m egress --control-fd N --ca-dir DIR`: one mitmproxy, embedded, that ends when its server does.

With `--control-socket PATH` in place of N it waits there for its server, which another container runs.
"""

import argparse
import ctypes
import gc
import json
import logging
import os
import resource
import select
import socket
import struct
import sys
import threading
import time
from pathlib import Path

from egress import authority, java_trust
from egress.trust import system_trust

FEWEST_DESCRIPTORS = 1024
GRACE_S = 2.0
_PR_SET_DUMPABLE = 4


class CannotStart(Exception):
    """The gate lacks something without which it would not be safe to run."""


def raise_descriptors() -> None:
    """Every sandbox connection takes two; with the usual 1,024 one sandbox can starve its neighbours."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = hard if hard != resource.RLIM_INFINITY else 1_048_576
    if most < FEWEST_DESCRIPTORS:
        raise CannotStart(f"The limit of open files is {most}; the gate needs {FEWEST_DESCRIPTORS} (ulimit -Hn).")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def close_to_others() -> None:
    """It will hold secrets: no program of the same user may look into its memory, and none of it is dumped to a disk."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise CannotStart("The kernel does not close this process's memory to others.")


def die_with(descriptor: int) -> None:
    """End this process when the server's end of the control socket is gone, even if the event loop hangs."""
    poll = select.poll()
    poll.register(descriptor, select.POLLRDHUP)  # the kernel adds POLLHUP and POLLERR
    poll.poll()
    time.sleep(GRACE_S)
    os._exit(1)


def called(path: Path) -> int:
    """The socket to the one server that comes: it is ours only, and so is whoever calls. Nobody else finds anybody later."""
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as door:
        before = os.umask(0o177)
        try:
            door.bind(str(path))
        finally:
            os.umask(before)
        door.listen(1)
        caller, _ = door.accept()
    path.unlink(missing_ok=True)
    _, user, _ = struct.unpack("3i", caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    if user != os.geteuid():
        raise CannotStart(f"The user {user} called, who is not the server's.")
    return caller.detach()


def publish(descriptor: int, ca_dir: Path) -> None:
    """Make or check the authority, and say where its certificate is: a sandbox can be had before the gate listens."""
    ca_cert = authority.ready(ca_dir)
    java_trust.publish(ca_dir, ca_cert, system_trust())
    os.write(descriptor, json.dumps({"event": "authority", "ca_cert": str(ca_cert)}).encode() + b"\n")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="egress", description="The only way out of a sandbox.")
    control = parser.add_mutually_exclusive_group(required=True)
    control.add_argument("--control-fd", type=int, help="an inherited socket to the server")
    control.add_argument("--control-socket", type=Path, metavar="PATH", help="where to wait for the server")
    parser.add_argument("--ca-dir", type=Path, required=True, help="where the local certificate authority is kept")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    gc.disable()  # until all is imported, which makes no garbage: a tenth of the start
    try:
        raise_descriptors()
        close_to_others()
        control_fd = called(chosen.control_socket) if chosen.control_socket else chosen.control_fd
        threading.Thread(target=die_with, args=[control_fd], daemon=True).start()
        publish(control_fd, chosen.ca_dir.absolute())
        from egress.proxy import serve  # noqa: PLC0415 - half a second, which nobody has to wait for with the certificate

        serve(control_fd, chosen.ca_dir.absolute())
    except (CannotStart, authority.AuthorityUnusable, OSError) as error:
        sys.exit(f"egress: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
