import errno
import sqlite3
from pathlib import Path

import pytest
from mcp import MCPError
from mcp.types import CallToolResult, TextContent

from policy.verdict import Denied, Deny, Rule
from server.front.errors import answering
from server.front.results import plain
from server.judge.limits import TooMany
from server.record.audit import AuditFailed
from server.record.database import DatabaseUnusable
from server.sandbox.sandbox import FileRefused, SandboxFailed, SandboxLost
from server.sandbox.sessions import NoSuchSession

pytestmark = pytest.mark.anyio

NO = Denied(Deny((Rule("privilege.tools", "deny", "no sudo", "without"),)), "d-1")


async def answer(error: Exception | None) -> CallToolResult:
    async def tool() -> CallToolResult:
        if error:
            raise error
        return plain("fine")

    return await answering(tool)()


async def test_an_answer_passes_through() -> None:
    assert not (await answer(None)).is_error


@pytest.mark.parametrize(
    "error",
    [
        NO,
        FileRefused("no such file"),
        SandboxFailed("no engine"),
        SandboxLost("gone"),
        NoSuchSession("there is no session x"),
        AuditFailed("the disk is full"),
        OSError(errno.EROFS, "Read-only file system", "/state/snapshots.lock"),
        DatabaseUnusable(Path("/state/sandgate.db"), sqlite3.OperationalError("attempt to write a readonly database")),
    ],
)
async def test_what_a_smarter_call_could_avoid_is_an_answer_the_model_reads(error: Exception) -> None:
    result = await answer(error)

    (content,) = result.content
    assert result.is_error
    assert isinstance(content, TextContent)
    assert len(content.text) > 5


async def test_rate_is_the_protocols_business() -> None:
    with pytest.raises(MCPError) as refused:
        await answer(TooMany("too fast", 0.5))

    assert refused.value.error.data == {"retry_after_s": 0.5}


async def test_our_own_mistakes_are_not_dressed_up() -> None:
    with pytest.raises(ZeroDivisionError):
        await answer(ZeroDivisionError())
