"""The bench's kept files: a fork of many, and a session of a prepared environment over one of its plain image."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import anyio

from server.ops.measures.rig import PATIENCE_S, Measure, Rig
from server.ops.measures.row import Row, Target, Times
from server.ops.measures.server import Home, Served, serving

_COLD: Final = "[sandbox]\nidle = 0\ndisk_mb = 8000\n"
_PREPARED: Final = """
[environments.prepared]
image = "{image}"
setup = ["mkdir -p ~/kept && echo yes > ~/kept/it"]
"""
_FILL: Final = "mkdir -p ~/kept && head -c {}MB /dev/zero | split -b 1MB -a 4 - ~/kept/part-"
_LOOK_AGAIN_S: Final = 0.05
_SETTLE_S: Final = 0.3  # what the engine does after a session was closed


async def _fork(rig: Rig) -> list[Row]:
    """Of files of a megabyte each; beside it a session without a snapshot, made cold as well."""
    forks: list[list[float]] = []
    others: list[list[float]] = []
    async with _home(rig, "snapshots", "delete", "kept") as home, serving(home, _COLD) as served:
        await served.call("shell", command=_FILL.format(rig.scale.kept_mb), session="kept", wait_s=50)
        await served.call("session_snapshot", name="kept", session="kept")
        await served.call("session_close", session="kept")
        for _ in range(rig.scale.starts):
            forks.append([await _ready(rig, served, snapshot="kept")])
            others.append([await _ready(rig, served)])
    what = f"a fork of {rig.scale.kept_mb} MB, until its first command has answered, over a session made cold"
    return [Times(forks, others).rows("fork", what, Target(1000))[0]]


async def _prepared(rig: Rig) -> list[Row]:
    """Its setup has run before, and each finds a warm sandbox."""
    prepared: list[list[float]] = []
    others: list[list[float]] = []
    settings = _PREPARED.format(image=rig.spec.image)
    async with _home(rig, "images", "prune") as home, serving(home, settings) as served:
        kinds = ("prepared", rig.spec.environment)
        for environment in kinds:  # prepares, and has one more made for the next
            await _ready(rig, served, environment=environment)
        for _ in range(3 * rig.scale.starts):
            for environment, times in zip(kinds, (prepared, others), strict=True):
                await _warm(home, len(kinds))
                await anyio.sleep(_SETTLE_S)
                times.append([await _ready(rig, served, environment=environment)])
    what = "a session of a prepared environment, until its first command has answered, over one of its plain image"
    return [Times(prepared, others).rows("prepared", what, Target(1.2, of_ratio=True))[0]]


@asynccontextmanager
async def _home(rig: Rig, *sweep: str) -> AsyncGenerator[Home]:
    """sweep: what a person says to be rid of the images that were kept; they are the engine's, and outlive the folder."""
    with rig.home() as home:
        try:
            yield home
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(PATIENCE_S):
                await anyio.run_process([*home.program, *sweep], env=home.environ)


async def _ready(rig: Rig, served: Served, **how: str) -> float:
    """Milliseconds until a new session has run a command; it is closed afterwards."""
    began = rig.clock()
    await served.call("session_open", session="new", **how)
    await served.call("shell", command="true", session="new")
    took = (rig.clock() - began) * 1000
    await served.call("session_close", session="new")
    return took


async def _warm(home: Home, wanted: int) -> None:
    """Returns when so many sandboxes wait to be claimed."""
    with anyio.fail_after(PATIENCE_S):
        while len(home.audited("sandbox.created")) < len(home.audited("sandbox.claimed")) + wanted:  # noqa: ASYNC110 - a file of another process
            await anyio.sleep(_LOOK_AGAIN_S)


MEASURES: Final = (Measure("fork", 30, _fork), Measure("prepared", 40, _prepared))
