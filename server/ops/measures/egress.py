"""The bench's gate: what it adds to a request and to a connection, how fast it streams, and what it needs for that."""

import json
import statistics
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio

from policy.question import CallerFacts, Question, RunCommand, SessionFacts
from policy.verdict import Allow, permit
from server.ops.demo_origin import HOST
from server.ops.measures import client
from server.ops.measures.origin import Origin, origin
from server.ops.measures.peers import peers
from server.ops.measures.rig import Measure, Rig
from server.ops.measures.row import Row, Target, row
from server.ops.process_memory import peak_mb
from server.sandbox.docker_sandbox import DockerSandbox
from server.sandbox.egress_link import EgressLink
from server.sandbox.gate import BUNDLE, Gate
from server.sandbox.sandbox import LINK_DIR, Exit
from server.wiring.egress import system_roots

STREAM_MB: Final = 200
TURNS: Final = 4  # the first is not counted: then everything is there and warm
PATIENCE_S: Final = 120.0
CLIENT: Final = Path(str(client.__file__))
LOOPBACK: Final = "127.0.0.1"
GATE, DIRECT = "the gate", "direct"

type Way = Callable[[str, int], Awaitable[Any]]  # what is done, and how many or how much: see client.py


async def _egress(rig: Rig) -> list[Row]:
    """The same client against the same origin, by turns: beside it, through other proxies, and in a sandbox."""
    folder = rig.folder / "egress"
    folder.mkdir()
    size = min(STREAM_MB, rig.scale.output_mb)
    amounts = {"request": rig.scale.calls, "connection": max(2, rig.scale.calls // 4), "down": size, "up": size}
    with origin(folder) as served, peers(folder) as others:
        beside = {name: partial(_beside, served, port) for name, port in ((DIRECT, 0), *others.items())}
        async with _gated(rig, served) as (through, link):
            ways: dict[str, Way] = {**beside, GATE: through}
            found = {what: await _by_turns(ways, what, many) for what, many in amounts.items()}
            memory = peak_mb(link.pid)
    about = f"the most memory of the gate, after {size} MB down and up"
    return [*_added(found), *_streamed(found), row("egress.memory", about, memory, "MB", target=Target(120))]


async def _by_turns(ways: Mapping[str, Way], what: str, many: int) -> dict[str, float]:
    """The median of each way: of times in milliseconds, or of megabytes a second."""
    kept: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(TURNS):
        for name, way in ways.items():
            told = await way(what, many)
            if turn:
                kept[name] += told if isinstance(told, list) else [told]
    return {name: statistics.median(values) for name, values in kept.items()}


def _added(found: Mapping[str, Mapping[str, float]]) -> list[Row]:
    """What each way adds to going there directly."""
    sentences = {"request": "{} adds to a kept-alive https request", "connection": "{} adds to a new https connection"}
    targets = {"request": Target(1.5), "connection": Target(8)}
    return [
        row(
            _id(what, name),
            sentences[what].format(name),
            max(0.0, value - found[what][DIRECT]),
            "ms",
            target=_of(name, targets[what]),
        )
        for what in sentences
        for name, value in found[what].items()
        if name != DIRECT
    ]


def _streamed(found: Mapping[str, Mapping[str, float]]) -> list[Row]:
    floor = Target(200, at_least=True)
    return [
        row(
            _id(what, name),
            f"https {what} through {name}",
            value,
            "MB/s",
            baseline=found[what][DIRECT],
            target=_of(name, floor),
        )
        for what in ("down", "up")
        for name, value in found[what].items()
        if name != DIRECT
    ]


def _id(what: str, name: str) -> str:
    return f"egress.{what}" if name == GATE else f"egress.{what}.{name}"


def _of(name: str, target: Target) -> Target | None:
    """Nobody promised anything of the others."""
    return target if name == GATE else None


async def _beside(served: Origin, proxy: int, what: str, many: int) -> Any:
    argv = [
        sys.executable,
        "-I",
        str(CLIENT),
        *_arguments(served, what, many, str(served.certificate), proxy, LOOPBACK),
    ]
    with anyio.fail_after(PATIENCE_S):
        return json.loads((await anyio.run_process(argv)).stdout)


def _arguments(served: Origin, what: str, many: int, trust: str, proxy: int, where: str) -> list[str]:
    return [what, str(many), HOST, str(served.port), trust, str(proxy), where]


@asynccontextmanager
async def _gated(rig: Rig, served: Origin) -> AsyncGenerator[tuple[Way, EgressLink]]:
    """A way out of a sandbox without any proxy variable, and the gate that it leads through."""
    async with rig.engine() as engine, anyio.create_task_group() as tasks:
        authority = engine.directory.parent / "ca"
        link = EgressLink(
            ca_dir=authority,
            on_event=_unrecorded,
            upstream_ca=served.certificate,
            networks=(f"{LOOPBACK}/32",),
            resolve={HOST: LOOPBACK},
            limits={"tls_per_second": 1000, "tls_burst": 1000},
        )
        async with link:
            gate = Gate(link, engine.directory, authority / "ca.pem", system_roots(), tasks)
            box = await engine.create(replace(rig.spec, ports=(served.port,)))
            try:
                await gate.attach(box.id, (f"{HOST}:{served.port}",))
                yield partial(_inside, box, served), link
            finally:
                await box.close()
        tasks.cancel_scope.cancel()


async def _inside(box: DockerSandbox, served: Origin, what: str, many: int) -> Any:
    told = _arguments(served, what, many, f"{LINK_DIR}/{BUNDLE}", 0, HOST)
    act = RunCommand(("python3", "-I", "-", *told), "/", CLIENT.read_bytes(), PATIENCE_S, background=False)
    question = Question(CallerFacts("bench"), "exec", SessionFacts("bench", box.spec.environment), act, {})
    said = _Said()
    with anyio.fail_after(PATIENCE_S):
        await box.run(permit(question, Allow()), said)
        await said.over.wait()
    return json.loads(said.text)


class _Said:
    """What a command prints, and its end."""

    def __init__(self) -> None:
        self.text, self.over = bytearray(), anyio.Event()

    def write(self, stream: int, data: bytes) -> None:
        del stream
        self.text += data

    def ended(self, end: Exit) -> None:
        del end  # what it printed says enough
        self.over.set()

    def cleared(self) -> None:
        """It leaves nothing behind."""


def _unrecorded(event: object) -> None:
    """A bench's traffic stands in no audit."""
    del event


MEASURES: Final = (Measure("egress", 40, _egress),)
