"""From what went wrong to what the model reads: one place that knows which errors are answers."""

import functools
import logging
from collections.abc import Awaitable, Callable

from mcp import MCPError
from mcp.server.mcpserver import Context
from mcp.types import CallToolResult

from policy.verdict import Denied
from server.call import NoShell
from server.front.consent import ask as consent
from server.front.consent import can_ask, take_answer
from server.front.front import Front
from server.front.results import failed, refusal
from server.judge.limits import TooMany
from server.record.audit import AuditFailed
from server.sandbox.allow_list import HostNotAllowed
from server.sandbox.grants import NotGranted
from server.sandbox.jobs import InputRefused, NoSuchJob, TooManyJobs
from server.sandbox.prepared import PreparationFailed, StillPreparing
from server.sandbox.room import Full
from server.sandbox.sandbox import FileRefused, SandboxFailed, SandboxLost
from server.sandbox.sessions import (
    NoSuchEnvironment,
    NoSuchSession,
    SessionExists,
)
from server.sandbox.snapshot import BadSnapshotName, NoSuchSnapshot, SnapshotFailed, WrongEnvironment
from server.sandbox.workspaces import NoSuchWorkspace

log = logging.getLogger("sandgate")

TOO_MANY = -32029  # in JSON-RPC's range for servers; MCP names no code for it

_ANSWERS = (
    AuditFailed,
    BadSnapshotName,
    FileRefused,
    HostNotAllowed,
    InputRefused,
    NoShell,
    NotGranted,
    NoSuchEnvironment,
    NoSuchJob,
    NoSuchSession,
    NoSuchSnapshot,
    NoSuchWorkspace,
    PreparationFailed,
    SandboxFailed,
    SessionExists,
    SnapshotFailed,
    StillPreparing,
    TooManyJobs,
    WrongEnvironment,
)


type Tool[**P] = Callable[P, Awaitable[CallToolResult]]


def answering[**P](tool: Tool[P], front: Front | None = None) -> Tool[P]:
    """The tool, with refusals and failures that a smarter call could avoid turned into results.

    What only a person may allow is asked in the client first, where that is somebody who may answer: of a tool that takes
    the context it is called in. Without a front nobody is asked.
    """
    answered = _answered(tool)

    @functools.wraps(tool)
    async def answer(*args: P.args, **kwargs: P.kwargs) -> CallToolResult:
        ctx = kwargs.get("ctx")
        if front is None or not front.person_at_client or not isinstance(ctx, Context):
            return await answered(*args, **kwargs)
        people = front.gateway.people
        was_asked = await take_answer(ctx, people)
        try:
            return await tool(*args, **kwargs)
        except Denied as exc:
            if was_asked or not can_ask(ctx, exc):
                return refusal(exc)
            if (rounds := await consent(ctx, people, exc)) is not None:
                return rounds  # type: ignore[return-value]  # the SDK passes it on; to name it would cost the schema
            return await answered(*args, **kwargs)
        except Exception as exc:  # noqa: BLE001 - told apart there, and raised on where it is no answer
            return told(exc)

    return answer


def _answered[**P](tool: Tool[P]) -> Tool[P]:
    async def answer(*args: P.args, **kwargs: P.kwargs) -> CallToolResult:
        try:
            return await tool(*args, **kwargs)
        except Exception as exc:  # noqa: BLE001 - told apart there, and raised on where it is no answer
            return told(exc)

    return answer


def told(error: Exception) -> CallToolResult:
    """Raises it again where a smarter call could not avoid it."""
    match error:
        case Denied():
            return refusal(error)
        case Full() | TooMany():
            raise MCPError(TOO_MANY, str(error), {"retry_after_s": round(error.retry_after_s, 2)}) from error
        case SandboxLost():
            return failed(f"The sandbox was lost: {error}. The next call gets a fresh one, without this one's files.")
        case _ if isinstance(error, _ANSWERS):
            return failed(f"{str(error)[:1].upper()}{str(error)[1:]}")
        case OSError():
            log.error("a call could not be answered", exc_info=error)
            what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            return failed(
                f"The server cannot use what it needs on its own machine ({what}). No other call mends that: a person has "
                "to, and `sandgate doctor` says what else is amiss."
            )
        case _:
            raise error
