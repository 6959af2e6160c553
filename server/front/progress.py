"""Output as it comes, as MCP progress: a notification when there is news, and one every 5 s when there is none."""

import codecs
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

import anyio
from mcp.server.mcpserver import Context

from server.parts import Progress
from server.sandbox.copies import Copying
from server.sandbox.jobs import Job, Stream
from server.sandbox.snapshot import Tell

HEARTBEAT_S = 5.0
LOOK_AGAIN_S = 0.25  # at what a thread says, which sets no event of ours
PAUSE_S = 0.1  # between two notifications: a flood becomes ten a second
MAX_MESSAGE = 2_000  # bytes of output that one notification carries: the newest


def streaming(ctx: Context[Any, Any]) -> Progress:
    """Tell the client of a job's output until cancelled; the client's own token decides whether anything is sent."""

    async def progress(job: Job) -> None:
        readers = [_Reader(job, stream) for stream in ("stdout", "stderr")]
        step = 0
        while job.end is None:
            if not (news := _newest(readers)):  # what came before anybody listened is no news to the job
                with anyio.move_on_after(HEARTBEAT_S):
                    await job.news()
                news = _newest(readers)
            step += 1
            await ctx.report_progress(step, message=news or f"still running ({step})")
            await anyio.sleep(PAUSE_S)

    return progress


async def telling[R](ctx: Context[Any, Any], what: str, work: Callable[[Tell], Awaitable[R]]) -> R:
    """Do it, telling the client what is being done: each step, and every 5 s how long it has taken so far."""
    said = [what]
    return await _beside(lambda: work(said.append), lambda: _tell_on(ctx, said))


async def while_copying[R](
    ctx: Context[Any, Any], copying: Callable[[], Copying | None] | None, work: Callable[[], Awaitable[R]]
) -> R:
    """Do it, telling the client meanwhile how far a folder is on its way into its session, where any can be."""
    if copying is None:
        return await work()
    return await _beside(work, lambda: _tell_of_copy(ctx, copying))


async def _beside[R](work: Callable[[], Awaitable[R]], telling: Callable[[], Coroutine[Any, Any, None]]) -> R:
    failed = list[Exception]()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(telling)
        try:
            result = await work()
        except Exception as exc:  # noqa: BLE001 - raised below as it is, not in a task group's wrapping
            failed.append(exc)
        tasks.cancel_scope.cancel()
    if failed:
        raise failed[0]
    return result


async def _tell_of_copy(ctx: Context[Any, Any], copying: Callable[[], Copying | None]) -> None:
    """As a fraction below 1, so that what the command itself says afterwards goes on counting from there."""
    told = ""
    while True:
        await anyio.sleep(LOOK_AGAIN_S)
        step = copying()
        if step is not None and str(step) != told:
            told = str(step)
            await ctx.report_progress(step.done / (step.total + 1), message=told)


async def _tell_on(ctx: Context[Any, Any], said: list[str]) -> None:
    started, step, told = anyio.current_time(), 0, ("", -1)
    while True:
        seconds = anyio.current_time() - started
        now = (said[-1], int(seconds / HEARTBEAT_S))
        if now != told:
            step, told = step + 1, now
            await ctx.report_progress(step, message=f"{said[-1]} ({seconds:.0f} s)")
        await anyio.sleep(LOOK_AGAIN_S)


class _Reader:
    """What is new on one stream since the last look, whole characters only."""

    def __init__(self, job: Job, stream: Stream) -> None:
        self._spool, self._offset = job.streams[stream], 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def newest(self) -> str:
        start = max(self._offset, self._spool.total - MAX_MESSAGE)
        piece = self._spool.read(start, self._spool.total - start)
        self._offset = piece.next_offset
        return self._decoder.decode(piece.data)


def _newest(readers: Iterable[_Reader]) -> str:
    return "".join(reader.newest() for reader in readers)
