"""From what went wrong to what the model reads: one place that knows which errors are answers."""

import functools
from collections.abc import Awaitable, Callable

from mcp import MCPError
from mcp.types import CallToolResult

from policy.verdict import Denied
from server.call import NoShell
from server.front.results import failed, refusal
from server.judge.limits import TooMany
from server.record.audit import AuditFailed
from server.sandbox.allow_list import HostNotAllowed
from server.sandbox.jobs import InputRefused, NoSuchJob
from server.sandbox.prepared import PreparationFailed, StillPreparing
from server.sandbox.room import Full
from server.sandbox.sandbox import FileRefused, SandboxFailed, SandboxLost
from server.sandbox.sessions import (
    NoSuchEnvironment,
    NoSuchSession,
    SessionExists,
)
from server.sandbox.snapshots import BadSnapshotName, NoSuchSnapshot, SnapshotFailed, WrongEnvironment

TOO_MANY = -32029  # in JSON-RPC's range for servers; MCP names no code for it

_ANSWERS = (
    AuditFailed,
    BadSnapshotName,
    FileRefused,
    HostNotAllowed,
    InputRefused,
    NoShell,
    NoSuchEnvironment,
    NoSuchJob,
    NoSuchSession,
    NoSuchSnapshot,
    PreparationFailed,
    SandboxFailed,
    SessionExists,
    SnapshotFailed,
    StillPreparing,
    WrongEnvironment,
)


def answering[**P](tool: Callable[P, Awaitable[CallToolResult]]) -> Callable[P, Awaitable[CallToolResult]]:
    """The tool, with refusals and failures that a smarter call could avoid turned into results."""

    @functools.wraps(tool)
    async def answer(*args: P.args, **kwargs: P.kwargs) -> CallToolResult:
        try:
            return await tool(*args, **kwargs)
        except Denied as exc:
            return refusal(exc)
        except (Full, TooMany) as exc:
            raise MCPError(TOO_MANY, str(exc), {"retry_after_s": round(exc.retry_after_s, 2)}) from exc
        except SandboxLost as exc:
            return failed(f"The sandbox was lost: {exc}. The next call gets a fresh one, without this one's files.")
        except _ANSWERS as exc:
            return failed(f"{str(exc)[:1].upper()}{str(exc)[1:]}")

    return answer
