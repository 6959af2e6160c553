"""The bench's growth: what a call costs as jobs, the audit and snapshots become more. What is flat stays near 1."""

import time
from typing import Final

from server.ops.measures.pace import Beside, Pace, grown, yardstick
from server.ops.measures.rig import Measure, Rig
from server.ops.measures.row import Row
from server.ops.measures.server import Home, serving
from server.record.audit import Audit
from server.record.snapshot_rows import SnapshotRows

_LINES: Final = 1000  # of the audit, at first
_MOST_RUNNING: Final = 50  # of the 64 jobs that one session keeps


async def _growth(rig: Rig) -> list[Row]:
    audit: dict[int, Pace] = {}
    snapshots: dict[int, Pace] = {}
    with yardstick(rig) as beside:
        rows = await _jobs(rig, beside)
        for size in rig.scale.growth:
            with rig.home() as home:
                fill_audit(home, size * _LINES)
                async with serving(home) as served:
                    audit[size * _LINES] = await beside(lambda: served.call("shell", command="true"))
            with rig.home() as home:
                fill_snapshots(home, size)
                async with serving(home) as served:
                    snapshots[size] = await beside(lambda: served.call("session_list"))
    return [
        *rows,
        *grown("growth.audit", "a call; lines of the audit: {}", audit),
        *grown("growth.snapshots", "session_list; snapshots: {}", snapshots),
    ]


async def _jobs(rig: Rig, beside: Beside) -> list[Row]:
    over: dict[int, Pace] = {}
    running: dict[int, Pace] = {}
    with rig.home() as home:
        async with serving(home) as served:

            async def call() -> object:
                return await served.call("shell", command="true")

            done = 0
            for size in rig.scale.growth:
                while done < size:
                    await call()
                    done += 1
                over[size] = await beside(call)
            started = 0
            for size in rig.scale.growth:
                while started < min(size, _MOST_RUNNING):
                    await served.call("shell", command="sleep 600", background=True)
                    started += 1
                running[started] = await beside(call)
    return [
        *grown("growth.jobs", "a call; others before it in its session: {}", over),
        *grown("growth.running", "a call; others that run in its session: {}", running),
    ]


def fill_audit(home: Home, lines: int) -> None:
    audit = Audit(home.state / "audit" / "audit.jsonl", "interval")
    for number in range(lines):
        audit.write("call.ended", {"decision_id": f"d-{number:016x}", "outcome": "done", "duration_ms": 1.0})
    audit.close()


def fill_snapshots(home: Home, count: int) -> None:
    """Rows without an image: the list does not look."""
    rows, now = SnapshotRows(home.state / "sandgate.db"), time.time()
    for number in range(count):
        rows.put(
            {
                "id": f"{number:012x}",
                "name": f"kept-{number}",
                "owner": "local",
                "kind": "named",
                "image": f"sandgate/snapshot:{number:012x}",
                "environment": "python",
                "size_bytes": 1,
                "created": now,
                "used": now,
                "user": "1000:1000",
                "left_out": "",
            }
        )


MEASURES: Final = (Measure("growth", 40, _growth),)
