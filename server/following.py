"""A command from its start on: waited for as long as its caller wants, stopped where they give up, its end recorded."""

import logging
from typing import Any

import anyio

from server.parts import Progress, Record
from server.record.audit import AuditFailed
from server.sandbox.jobs import Job
from server.sandbox.sandbox import Exit

KILL = 9
UNTOLD_S = 0.05  # of a command: who would read what it says meanwhile

log = logging.getLogger("sandgate")


async def unseen(job: Job) -> None:  # noqa: ARG001 - it is a Progress
    """Progress that nobody asked for; as any, it goes on until it is cancelled."""
    await anyio.sleep_forever()


async def followed(job: Job, wait_s: float, progress: Progress) -> Exit | None:
    """The job's end, or None where it goes on after `wait_s`; where the caller gives up, the job is stopped."""
    try:
        return await _follow(job, wait_s, progress)
    except anyio.get_cancelled_exc_class():
        with anyio.CancelScope(shield=True):
            await job.stop(KILL, "cancelled")
        raise


async def _follow(job: Job, wait_s: float, progress: Progress) -> Exit | None:
    """Wait for the end as long as the caller wants, telling of output meanwhile: most commands leave no time for that."""
    if (end := await job.wait(min(wait_s, UNTOLD_S))) is not None or wait_s <= UNTOLD_S:
        return end
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(progress, job)
        end = await job.wait(wait_s - UNTOLD_S)
        tasks.cancel_scope.cancel()
    return end


def rest(wait_s: float, made_s: float) -> float:
    """What is left of the caller's patience after its session was made: a second at least, where it had that much."""
    return max(wait_s - made_s, min(wait_s, 1.0))


def record_end(record: Record, end: Exit) -> None:
    """A job may outlive its call: its end is a line of its own, under the same decision.

    Where that cannot be written no new call starts either, but what runs in other sessions is not ended for it.
    """
    try:
        record.write(
            "sandbox.job_ended",
            {
                "status": end.status,
                "exit_code": end.exit_code,
                "signal": end.signal,
                "detail": end.detail,
                "duration_ms": end.duration_ms,
                "cpu_s": round(end.cpu_s, 4),
                "peak_memory_kb": end.peak_memory_kb,
                "left_behind": end.left_behind,
            },
        )
    except AuditFailed:
        log.exception("the end of a job is not recorded")


def outcome(job: Job, end: Exit | None) -> dict[str, Any]:
    """What the last line of a call says of its command, after `wait_s`."""
    sizes = {f"{name}_bytes": spool.total for name, spool in job.streams.items()}
    return {"outcome": job.status, "job": job.name, "exit_code": end.exit_code if end else None, **sizes}
