"""Sandboxes that stand still: paused by the engine while nobody uses them, and never left paused by a server that dies.

A paused sandbox cannot end itself, so whoever pauses one first tells a thawer of it: a process of its own that outlives
the server by as long as it takes to wake what the server left asleep.
"""

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE  # noqa: TID251  two constants for anyio.open_process
from typing import Final

import anyio
import anyio.abc
import anyio.to_thread

import server
from server.sandbox.engine import NoAnswer, NoEngine, Unreachable, get_json, post
from server.sandbox.sandbox import SandboxFailed, SandboxLost

PATIENCE_S: Final = 10.0  # of the engine; it takes some 20 ms
TRIES: Final = 5  # each process must have its turn to stand still: on a loaded machine the engine gives up before that
AGAIN_S: Final = 0.5
FAULT: Final = 500  # and above: the engine could not, now
DONE: Final = (204, 304, 409)  # as asked, or it was so already
_PACKAGES: Final = Path(str(server.__file__)).parent.parent


class Freezer:
    """`find` names the engine; it is asked once. `tasks` is where the thawer's end is waited for."""

    def __init__(self, find: Callable[[], str], tasks: anyio.abc.TaskGroup) -> None:
        self._find, self._tasks = find, tasks
        self._url = ""
        self._frozen: set[str] = set()
        self._thawer: anyio.abc.Process | None = None
        self._telling = anyio.Lock()

    async def freeze(self, sandbox_id: str) -> None:
        """Pause it. Raises SandboxFailed where that cannot be, and then it runs on.

        Where the engine does not answer it may pause it later, so it is taken for paused: to wake what is awake does no harm.
        """
        self._frozen.add(sandbox_id)
        try:
            await self._tell(f"frozen {sandbox_id}")
            await self._order(sandbox_id, "pause")
        except NoAnswer:
            return
        except (OSError, NoEngine, Unreachable, SandboxFailed, SandboxLost) as exc:
            with anyio.CancelScope(shield=True):
                await self.forget(sandbox_id)
            raise SandboxFailed(f"the sandbox cannot be paused: {exc}") from exc

    async def thaw(self, sandbox_id: str) -> None:
        """Raises SandboxLost where it is gone; SandboxFailed where it cannot be woken now, and then it sleeps on."""
        try:
            await self._order(sandbox_id, "unpause")
        except (NoEngine, Unreachable, SandboxFailed) as exc:
            raise SandboxFailed(f"the sandbox is asleep and the Docker engine does not wake it now: {exc}") from exc
        await self.forget(sandbox_id)

    async def forget(self, sandbox_id: str) -> None:
        """It is awake or gone: nothing has to be done for it when we die."""
        if sandbox_id in self._frozen:
            self._frozen.discard(sandbox_id)
            with suppress(OSError):  # it ended; the next one is told anew, and waking what is awake does no harm
                async with self._telling:
                    await self._say(f"thawed {sandbox_id}")

    async def _order(self, sandbox_id: str, what: str) -> None:
        self._url = self._url or await anyio.to_thread.run_sync(self._find)
        path = f"/containers/sandgate-{sandbox_id}/{what}"
        for tries_left in reversed(range(TRIES)):
            status = await anyio.to_thread.run_sync(post, self._url, path, PATIENCE_S, abandon_on_cancel=True)
            if status in DONE or await self._was_so(sandbox_id, what):
                return
            if status < FAULT:
                raise SandboxLost(f"the engine answers {status}")
            if not tries_left:
                raise SandboxFailed(f"the engine answers {status}")
            await anyio.sleep(AGAIN_S)

    async def _was_so(self, sandbox_id: str, what: str) -> bool:
        """Engines do not agree on what they answer where there is nothing to do."""
        path = f"/containers/sandgate-{sandbox_id}/json"
        try:
            told = await anyio.to_thread.run_sync(get_json, self._url, path, PATIENCE_S, abandon_on_cancel=True)
            return bool(told["State"]["Running"]) and bool(told["State"]["Paused"]) == (what == "pause")
        except (Unreachable, KeyError, TypeError):
            return False

    # --- the thawer --------------------------------------------------------------------------------------------------

    async def _tell(self, line: str) -> None:
        """Whoever is there to hear it, or a new one. Raises OSError, NoEngine."""
        async with self._telling:
            if self._thawer is None or self._thawer.returncode is not None:
                self._thawer = await self._start()
                line = "\n".join([*(f"frozen {sandbox_id}" for sandbox_id in self._frozen), line])
            await self._say(line)

    async def _say(self, line: str) -> None:
        """Raises OSError where there is nobody to hear it."""
        if self._thawer is None or self._thawer.stdin is None:
            raise OSError("there is no thawer that hears")
        try:
            await self._thawer.stdin.send(f"{line}\n".encode())
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as exc:
            self._thawer = None
            raise OSError("the thawer ended") from exc

    async def _start(self) -> anyio.abc.Process:
        self._url = self._url or await anyio.to_thread.run_sync(self._find)
        process = await anyio.open_process(
            [sys.executable, "-P", "-m", "server.sandbox.thawer", self._url],
            stdin=PIPE,
            stdout=DEVNULL,
            stderr=DEVNULL,
            cwd="/",
            env={"PYTHONPATH": str(_PACKAGES)},
            start_new_session=True,  # what ends the server's group or terminal must not end it
        )
        self._tasks.start_soon(_outlive, process)
        return process


async def _outlive(process: anyio.abc.Process) -> None:
    """Where we end in order nothing is frozen any more: its input ends with us, and it with that."""
    try:
        await process.wait()
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(PATIENCE_S):
            if process.stdin is not None:
                await process.stdin.aclose()
            await process.wait()
            await process.aclose()
