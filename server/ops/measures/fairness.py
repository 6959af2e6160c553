"""The bench's neighbours: how one caller's calls fare over HTTP while another calls as fast as it can, limits as they are."""

import json
import statistics
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from subprocess import DEVNULL, PIPE  # noqa: TID251  # constants; anyio starts it
from typing import Final

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from server.front.listening import bound, port_of
from server.ops.measures.flood import Wire
from server.ops.measures.rig import Measure, Rig
from server.ops.measures.row import Row, Target, percentile, row
from server.ops.measures.server import BenchFailed, Home
from server.settings.http import digest

CONNECTIONS: Final = 200  # more than run and wait of one caller
EACH: Final = 5  # times as many calls as of others: a p99 stands on one in a hundred
TURNS: Final = 5  # of each kind, at most: long ones, so that a flood is more than the burst that everybody has
PACE_S: Final = 0.025  # between two calls of the other one, who stays within its limits
SKIPPED: Final = 5  # calls of each turn, until it has settled
BUILT_UP_S: Final = 0.5  # until the flood stands
PATIENCE_S: Final = 60.0
LOUD: Final = "bench-loud"  # two tokens
QUIET: Final = "bench-quiet"


@asynccontextmanager
async def _served(home: Home) -> AsyncGenerator[int]:
    """The port of a server with two callers and the limits that everybody has."""
    tokens = [f'[[http.tokens]]\nname = "{token}"\nsha256 = "{digest(token)}"\n' for token in (LOUD, QUIET)]
    config = home.folder / "fairness.toml"
    config.write_text("".join(tokens))
    with bound("127.0.0.1", 0) as sockets:
        port = port_of(sockets)
    argv = [*home.program, "serve", "--http", f"127.0.0.1:{port}", "--config", str(config)]
    async with await anyio.open_process(argv, env=home.environ, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL) as it:
        try:
            yield port
        finally:
            if it.returncode is None:
                it.terminate()
            with anyio.CancelScope(shield=True), anyio.move_on_after(PATIENCE_S):
                await it.wait()


async def _caller(port: int) -> Wire:
    """Once the server answers."""
    with anyio.fail_after(PATIENCE_S):
        while True:
            try:
                return await Wire.open(port, QUIET)
            except OSError:
                await anyio.sleep(0.05)


class _Flood:
    """The other process, between one line and the next."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None  # noqa: S101 - it was opened with both
        assert process.stdout is not None  # noqa: S101
        self._stdin, self._lines = process.stdin, BufferedByteReceiveStream(process.stdout)
        self.answered = 0

    @asynccontextmanager
    async def raging(self) -> AsyncGenerator[None]:
        await self._turn()
        await anyio.sleep(BUILT_UP_S)
        yield
        answered = int(json.loads(await self._turn())["answered"])
        if not answered:
            raise BenchFailed("nothing of the flood was answered, so it was none")
        self.answered += answered

    async def _turn(self) -> bytes:
        await self._stdin.send(b"\n")
        with anyio.fail_after(PATIENCE_S):
            return await self._lines.receive_until(b"\n", 1000)


async def _fairness(rig: Rig) -> list[Row]:
    """By turns: the same calls in peace, and beside the flood."""
    calm: list[float] = []
    beside: list[float] = []
    turns = min(TURNS, max(2, rig.scale.calls // TURNS))
    a_turn = rig.scale.calls * EACH // turns

    async def calls(wire: Wire, times: list[float]) -> None:
        for number in range(SKIPPED + a_turn):
            await anyio.sleep(PACE_S)
            began = rig.clock()
            if not await wire.call("exec", {"argv": ["true"], "session": "quiet"}):
                raise BenchFailed("a call within its limits was refused")
            if number >= SKIPPED:
                times.append((rig.clock() - began) * 1000)

    with rig.home() as home:
        async with _served(home) as port, aclosing(await _caller(port)) as wire:
            argv = [sys.executable, "-P", "-m", "server.ops.measures.flood", str(port), LOUD, str(CONNECTIONS)]
            async with await anyio.open_process(argv, stdin=PIPE, stdout=PIPE, stderr=DEVNULL) as process:
                flood = _Flood(process)
                try:
                    for _ in range(turns):
                        await calls(wire, calm)
                        async with flood.raging():
                            await calls(wire, beside)
                finally:
                    process.kill()  # it is waited for, whatever happened
    calm, beside = sorted(calm), sorted(beside)
    what = "a call over HTTP beside a flood of another caller's, over the same without"
    return [
        row("fairness", what, statistics.median(beside), "ms", baseline=statistics.median(calm)),
        row(
            "fairness.p99",
            f"{what}: p99 over p99",
            percentile(beside, 0.99),
            "ms",
            baseline=percentile(calm, 0.99),
            target=Target(2, of_ratio=True),
        ),
    ]


MEASURES: Final = (Measure("fairness", 80, _fairness),)
