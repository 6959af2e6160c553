"""One mitmproxy, embedded: what it is made of, and its life. To import it takes half a second, of which nobody waits but for the network."""

import asyncio
import gc
from pathlib import Path

from mitmproxy.addons.core import Core
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.addons.tlsconfig import TlsConfig
from mitmproxy.master import Master
from mitmproxy.options import Options

from egress.control import Control
from egress.dial import PinnedLoop
from egress.gate import Gate
from egress.huffman import quicken
from egress.journal import Journal
from egress.listener import Listeners

TICK_S = 1.0


def serve(descriptor: int, ca_dir: Path) -> None:
    """Until the server is gone. `descriptor`: the socket to it; `ca_dir`: where the authority is, which is there already."""
    quicken()
    with asyncio.Runner(loop_factory=PinnedLoop) as runner:
        runner.run(_run(descriptor, ca_dir))


def _options(ca_dir: Path) -> Options:
    return Options(
        confdir=str(ca_dir), mode=[], upstream_cert=False, rawtcp=False, http2=True, http3=False, websocket=True
    )


def _harden(master: Master) -> None:
    """Options that the addons themselves bring; what is not said here is mitmproxy's default."""
    master.options.update(  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
        connection_strategy="lazy",  # dial nobody before a request was judged
        validate_inbound_headers=True,
        store_streamed_bodies=False,
    )


async def _run(descriptor: int, ca_dir: Path) -> None:
    control = await Control.over(descriptor)
    master = Master(_options(ca_dir), event_loop=asyncio.get_running_loop())
    journal = Journal(control.tell)
    gate = Gate(journal)
    mine = (Core(), Proxyserver(), TlsConfig(), gate)  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
    master.addons.add(*mine)  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
    _harden(master)
    listeners = Listeners(master, gate, journal)
    async with asyncio.TaskGroup() as tasks:
        proxy = tasks.create_task(master.run())
        clock = tasks.create_task(_tick(listeners, gate, control))
        gc.freeze()  # what is there now stays: no sweep has to look through it, in the middle of somebody's request
        gc.enable()
        control.tell({"event": "ready"})
        await control.serve(listeners)
        await listeners.close_all()
        clock.cancel()
        master.shutdown()  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
        await proxy


async def _tick(listeners: Listeners, gate: Gate, control: Control) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(TICK_S)
        listeners.look_at_clock(loop.time())
        gate.unrecorded = control.unheard
