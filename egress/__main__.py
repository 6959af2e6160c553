"""`python -P -m egress --control-fd N --ca-dir DIR`: one mitmproxy, embedded, that ends when its server does."""

import argparse
import asyncio
import ctypes
import gc
import logging
import os
import resource
import select
import sys
import threading
import time
from pathlib import Path

from mitmproxy.addons.core import Core
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.addons.tlsconfig import TlsConfig
from mitmproxy.master import Master
from mitmproxy.options import Options

from egress import authority, java_trust
from egress.control import Control
from egress.dial import PinnedLoop
from egress.gate import Gate
from egress.huffman import quicken
from egress.journal import Journal
from egress.listener import Listeners
from egress.trust import system_trust

FEWEST_DESCRIPTORS = 1024
GRACE_S = 2.0
TICK_S = 1.0
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


def options(ca_dir: Path) -> Options:
    return Options(
        confdir=str(ca_dir), mode=[], upstream_cert=False, rawtcp=False, http2=True, http3=False, websocket=True
    )


def harden(master: Master) -> None:
    """Options that the addons themselves bring; what is not said here is mitmproxy's default."""
    master.options.update(  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
        connection_strategy="lazy",  # dial nobody before a request was judged
        validate_inbound_headers=True,
        store_streamed_bodies=False,
    )


async def run(control: Control, ca_dir: Path, ca_cert: Path) -> None:
    master = Master(options(ca_dir), event_loop=asyncio.get_running_loop())
    journal = Journal(control.tell)
    gate = Gate(journal)
    mine = (Core(), Proxyserver(), TlsConfig(), gate)  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
    master.addons.add(*mine)  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
    harden(master)
    listeners = Listeners(master, gate, journal)
    async with asyncio.TaskGroup() as tasks:
        proxy = tasks.create_task(master.run())
        clock = tasks.create_task(tick(listeners, gate, control))
        gc.freeze()  # what is there now stays: no sweep has to look through it, in the middle of somebody's request
        control.tell({"event": "ready", "ca_cert": str(ca_cert)})
        await control.serve(listeners)
        await listeners.close_all()
        clock.cancel()
        master.shutdown()  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
        await proxy


async def tick(listeners: Listeners, gate: Gate, control: Control) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(TICK_S)
        listeners.look_at_clock(loop.time())
        gate.unrecorded = control.unheard


async def start(descriptor: int, ca_dir: Path) -> None:
    ca_cert = authority.ready(ca_dir)
    java_trust.publish(ca_dir, ca_cert, system_trust())
    await run(await Control.over(descriptor), ca_dir, ca_cert)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="egress", description="The only way out of a sandbox.")
    parser.add_argument("--control-fd", type=int, required=True, help="an inherited socket to the server")
    parser.add_argument("--ca-dir", type=Path, required=True, help="where the local certificate authority is kept")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    threading.Thread(target=die_with, args=[chosen.control_fd], daemon=True).start()
    try:
        raise_descriptors()
        close_to_others()
        quicken()
        with asyncio.Runner(loop_factory=PinnedLoop) as runner:
            runner.run(start(chosen.control_fd, chosen.ca_dir.absolute()))
    except (CannotStart, authority.AuthorityUnusable, OSError) as error:
        sys.exit(f"egress: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
