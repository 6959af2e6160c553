"""The bench's sandboxes: made cold, claimed warm, claimed by many at once, and what an idle one costs."""

import statistics
from typing import Final

import anyio
import anyio.to_thread

from server.ops.measures.calls import run_true
from server.ops.measures.rig import Measure, Rig, Stock
from server.ops.measures.row import Row, Target, Times, row
from server.ops.process_memory import charged_mb, parent, resident_mb
from server.sandbox.bare_engine import BareEngine
from server.sandbox.docker_sandbox import DockerSandbox
from server.sandbox.sandbox import Sandbox

_IDLE: Final = 4  # sandboxes looked at
_SETTLE_S: Final = 1.0  # what a start leaves to be tidied, in a sandbox and in a bare container alike


async def _cold(rig: Rig) -> list[Row]:
    """Both are removed outside of the time taken."""
    made: list[DockerSandbox] = []
    bared: list[str] = []
    with rig.bare() as bare:
        async with rig.engine() as engine:

            async def ours() -> None:
                box = await engine.create(rig.spec)
                made.append(box)

            async def theirs() -> None:
                bared.append(await anyio.to_thread.run_sync(bare.start, rig.spec.image))

            kept: tuple[list[list[float]], list[list[float]]] = ([], [])
            for number in range(rig.scale.starts + 1):
                times = await rig.by_turns(ours, theirs, 1, turn=1)
                if number:  # the first finds caches cold, and fills the agent's volume
                    kept[0].extend(map(list, times.ours))
                    kept[1].extend(map(list, times.theirs))
                await made.pop().close()
                await anyio.to_thread.run_sync(bare.remove, bared.pop())
    what = "cold sandbox, ready for a command, over docker create and start"
    return [Times(*kept).rows("cold", what, Target(1.3, of_ratio=True))[0]]


async def _claim(rig: Rig) -> list[Row]:
    """Off the pool and found alive, its list on the way to the gate: as the server does it before it is handed out."""
    times: list[list[float]] = []
    with rig.bare() as bare:
        async with rig.pool(1) as stock:
            await stock.pool.release(await stock.claim())
            for _ in range(3 * rig.scale.starts):
                await stock.holds(1)
                await anyio.sleep(_SETTLE_S / 5)
                took, sandbox = await _timed_claim(rig, stock)
                times.append([took])
                await stock.pool.release(sandbox)
        theirs = await _bare_starts(rig, bare)
    what = "claim a warm sandbox, policy bound, over docker create and start"
    return list(Times(times, [theirs] * len(times)).rows("claim", what, Target(5)))


async def _timed_claim(rig: Rig, stock: Stock) -> tuple[float, Sandbox]:
    began = rig.clock()
    sandbox = await stock.claim()
    return (rig.clock() - began) * 1000, sandbox


async def _bare_starts(rig: Rig, bare: BareEngine) -> list[float]:
    times: list[float] = []
    for _ in range(rig.scale.starts):
        began = rig.clock()
        made = await anyio.to_thread.run_sync(bare.start, rig.spec.image)
        times.append((rig.clock() - began) * 1000)
        await anyio.to_thread.run_sync(bare.remove, made)
    return times


async def _burst(rig: Rig) -> list[Row]:
    """Many claims in one moment; as many more are made cold as the pool does not hold."""
    claims, warm = rig.scale.burst
    times: list[float] = []
    sandboxes: list[Sandbox] = []
    with rig.bare() as bare:
        async with rig.pool(warm) as stock:
            sandboxes.append(await stock.claim())
            await stock.holds(warm)

            async def claim() -> None:
                took, sandbox = await _timed_claim(rig, stock)
                times.append(took)
                sandboxes.append(sandbox)

            async with anyio.create_task_group() as tasks:
                for _ in range(claims):
                    tasks.start_soon(claim)
            async with anyio.create_task_group() as tasks:
                for sandbox in sandboxes:
                    tasks.start_soon(stock.pool.release, sandbox)
        one = statistics.median(await _bare_starts(rig, bare))
    times.sort()
    what, cold = f"{claims} claims at once, {warm} warm: ", claims - warm
    return [
        row("burst", f"{what}the median, over docker create and start", statistics.median(times), "ms", baseline=one),
        row(
            "burst.warm",
            f"{what}the slowest warm one, over docker create and start",
            times[warm - 1],
            "ms",
            baseline=one,
        ),
        row("burst.last", f"{what}the last, over {cold} docker create and start", times[-1], "ms", baseline=one * cold),
    ]


async def _idle(rig: Rig) -> list[Row]:
    """What the kernel charges to its control group, less what it may drop at any time; apart, the engine's process for it."""
    ours: list[tuple[float, float]] = []
    theirs: list[tuple[float, float]] = []
    with rig.bare() as bare:
        async with rig.engine() as engine:
            boxes = [await engine.create(rig.spec) for _ in range(_IDLE)]
            bared = [await anyio.to_thread.run_sync(bare.start, rig.spec.image) for _ in range(_IDLE)]
            try:
                for box in boxes:
                    await run_true(box)
                await anyio.sleep(_SETTLE_S)
                ours = [_held_mb(bare, f"sandgate-{box.id}") for box in boxes]
                theirs = [_held_mb(bare, name) for name in bared]
            finally:
                for box in boxes:
                    await box.close()
                for name in bared:
                    await anyio.to_thread.run_sync(bare.remove, name)
    (inside, beside), (bare_inside, bare_beside) = (
        map(statistics.median, zip(*held, strict=True)) for held in (ours, theirs)
    )
    what = "an idle sandbox with its agent, in host memory, over a bare container"
    shim = "what the engine itself holds for it, shared code included, over a bare container"
    return [
        row("idle", what, inside, "MB", baseline=bare_inside, target=Target(25)),
        row("idle.engine", shim, beside, "MB", baseline=bare_beside),
    ]


def _held_mb(bare: BareEngine, container: str) -> tuple[float, float]:
    pid = bare.pid(container)
    return charged_mb(pid), resident_mb(parent(pid))


MEASURES: Final = (
    Measure("cold", 15, _cold),
    Measure("claim", 20, _claim),
    Measure("burst", 40, _burst),
    Measure("idle", 8, _idle),
)
