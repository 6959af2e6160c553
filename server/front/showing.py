"""Jobs and sessions as text for a model."""

import base64
import time
from typing import Literal

from mcp.types import CallToolResult

from server.front.results import Shape, besides, plain, shaped, whole_characters
from server.sandbox.jobs import Job, Stream
from server.sandbox.session import Session
from server.sandbox.snapshot import Snapshot
from server.sandbox.spool import Slice


def show_job(job: Job, stream: Stream, piece: Slice, encoding: Literal["text", "base64"]) -> CallToolResult:
    data = piece.data
    if encoding == "text" and not job.end:
        data = data[: data.rfind(b"\n") + 1] or data  # a line that is still being written comes whole next time
    total = job.streams[stream].total
    if encoding == "text" and (piece.next_offset < total or not job.end):
        data = whole_characters(data) or data
    next_offset = piece.offset + len(data)
    text = base64.b64encode(data).decode() if encoding == "base64" else data.decode("utf-8", "replace")
    notes = [f"{piece.skipped} bytes before this were not kept"] if piece.skipped else []
    notes.append(f"job {job.name} {_state(job)}; {stream} bytes {piece.offset}-{next_offset} of {total}")
    if next_offset < total or job.end is None:
        notes.append(f"next: offset={next_offset}")
    lines = [f"[{'; '.join(notes)}]", *besides(job)]
    return plain("\n".join([text, *lines] if text else lines))


def show_stopped(job: Job) -> str:
    if job.end is None:
        return f"job {job.name} has not ended yet; it is being killed"
    left = f"; {job.left_behind} of its processes are still being killed" if job.left_behind else ""
    return f"job {job.name}: {_state(job)}{left}"


def _state(job: Job) -> str:
    if job.end is None:
        return job.status
    code = f" with {job.end.exit_code}" if job.end.exit_code is not None else ""
    return f"{job.status}{code}{f' ({job.end.detail})' if job.end.detail else ''}"


def show_sessions(
    sessions: list[Session], snapshots: list[Snapshot], shape: Shape, *, every_job: bool
) -> CallToolResult:
    """Sessions with their running and background jobs; with `every_job` also finished foreground commands."""
    now = time.time()
    listed = [
        {
            "session": session.name,
            "environment": session.spec.environment,
            "cwd": session.spec.start_dir,
            "state": session.state,
            "idle_s": round(now - session.used),
            "jobs": {
                job.name: job.status
                for job in session.jobs.values()
                if every_job or job.background or job.has_processes
            },
        }
        for session in sessions
    ]
    lines = [
        f"{entry['session']}: {entry['environment']}, {entry['state']}, idle {entry['idle_s']} s, "
        f"jobs: {', '.join(f'{name} {status}' for name, status in _items(entry['jobs'])) or 'none'}"
        for entry in listed
    ] or ["(no sessions; the first call opens one)"]
    kept = [
        {
            "snapshot": snapshot.name,
            "environment": snapshot.environment,
            "size_bytes": snapshot.size_bytes,
            "age_s": round(now - snapshot.created),
        }
        for snapshot in snapshots
    ]
    lines += [
        f"snapshot {entry['snapshot']}: {entry['environment']}, {_megabytes(entry['size_bytes'])}, "
        f"taken {entry['age_s']} s ago"
        for entry in kept
    ]
    return shaped("\n".join(lines), {"sessions": listed, "snapshots": kept}, shape)


def show_snapshot(taken: Snapshot, session: str, gone: list[Snapshot], shape: Shape) -> CallToolResult:
    """What is in it, what is not, how it is used, and what gave way to it."""
    about = f"snapshot {taken.name} of session {session}: environment {taken.environment}"
    use = f"session_open(snapshot={taken.name!r}) starts a session from it."
    lines = [f"{about}, {_megabytes(taken.size_bytes)} of its own. {use}"]
    if taken.left_out:
        lines.append(f"[not in it, being folders of the host: {', '.join(taken.left_out)}]")
    if gone:
        lines.append(f"[deleted to make room: {', '.join(snapshot.name for snapshot in gone)}]")
    structured = {
        "snapshot": taken.name,
        "session": session,
        "environment": taken.environment,
        "size_bytes": taken.size_bytes,
        "left_out": list(taken.left_out),
        "deleted": [snapshot.name for snapshot in gone],
    }
    return shaped("\n".join(lines), structured, shape)


def _megabytes(size: object) -> str:
    return f"{size / 1e6:.1f} MB" if isinstance(size, int) else "?"


def _items(jobs: object) -> list[tuple[str, str]]:
    return list(jobs.items()) if isinstance(jobs, dict) else []
