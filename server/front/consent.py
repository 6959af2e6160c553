"""Asking the person at the client: while the call waits (until 2025-11-25), or between two rounds of it (since 2026-07-28)."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import anyio
from mcp import MCPError
from mcp.server.mcpserver import Context
from mcp.types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult
from pydantic import BaseModel, Field

from policy.verdict import Denied
from server.escaping import escaped, one_line
from server.judge.approvals import NoSuchApproval, OnceOnly, Scope
from server.parts import People, Progress
from server.sandbox.jobs import Job

BETWEEN_ROUNDS: Final = "2026-07-28"  # the first version that knows no requests of the server's
KEY: Final = "consent"
BY: Final = "the person at the client"
PATIENCE_S: Final = 300.0


class Answer(BaseModel):
    """The form that a client shows."""

    allow: bool = Field(description="Allow exactly this call")
    again: Literal["once", "in this session"] = Field("once", description="How often the same call may be made")


def can_ask(ctx: Context[Any, Any], denied: Denied) -> bool:
    """Whether the question is open, and the client says that it can show a form."""
    return bool(denied.approval) and not denied.refused and _shows_forms(ctx)


def _shows_forms(ctx: Context[Any, Any]) -> bool:
    capabilities = ctx.client_capabilities
    asks = capabilities.elicitation if capabilities is not None else None
    return asks is not None and (asks.form is not None or asks.url is None)


def following(ctx: Context[Any, Any], people: People, progress: Progress) -> Progress:
    """While a command is followed, what it waits for is asked in a client that can be asked meanwhile.

    Since 2026-07-28 a server asks only with its answer to a call, so there the command line and the page are left.
    """
    if (ctx.protocol_version or "") >= BETWEEN_ROUNDS or not _shows_forms(ctx):
        return progress

    async def both(job: Job) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(progress, job)
            asked = 0
            while job.end is None:
                for question in job.questions[asked:]:
                    asked += 1
                    tasks.start_soon(
                        _ask_now, ctx, people, question.id, question_text(question.shown, question.reasons)
                    )
                await job.news()

    return both


async def take_answer(ctx: Context[Any, Any], people: People) -> bool:
    """Whether the client brings one along from the round before. The SDK has sealed the state to this call and caller."""
    given = (ctx.input_responses or {}).get(KEY)
    if ctx.request_state and isinstance(given, ElicitResult):
        await _answered(people, ctx.request_state, given.action, given.content)
        return True
    return False


async def ask(ctx: Context[Any, Any], people: People, denied: Denied) -> InputRequiredResult | None:
    """What to answer the client with so that it comes back with the person's word, or None: it has been asked here."""
    if (ctx.protocol_version or "") >= BETWEEN_ROUNDS:
        form = ElicitRequestFormParams(message=_message(denied), requested_schema=Answer.model_json_schema())
        return InputRequiredResult(input_requests={KEY: ElicitRequest(params=form)}, request_state=denied.approval)
    await _ask_now(ctx, people, denied.approval, _message(denied))
    return None


async def _ask_now(ctx: Context[Any, Any], people: People, approval: str, message: str) -> None:
    with anyio.move_on_after(PATIENCE_S):
        try:
            said = await ctx.elicit(message, Answer)
        except MCPError:  # it said that it can, and cannot
            return
        except ValueError:  # what it sent is no filled-in form
            await _answered(people, approval, "decline", None)
            return
        content = said.data.model_dump() if said.action == "accept" else None
        await _answered(people, approval, said.action, content)


async def _answered(people: People, approval: str, action: str, content: Mapping[str, Any] | None) -> None:
    """A form that is put away leaves the question open; whatever is not a clear yes is a no."""
    if action == "cancel":
        return
    try:
        said = content or {}
        scope: Scope = "session" if said.get("again") == "in this session" else "once"
        yes = action == "accept" and said.get("allow") is True
        try:
            await people.answer(approval, yes=yes, by=BY, scope=scope)
        except OnceOnly:  # the text said so
            await people.answer(approval, yes=yes, by=BY)
    except NoSuchApproval:
        return  # somebody else has answered, or it took too long: the call finds out which


def _message(denied: Denied) -> str:
    return question_text(denied.shown, [rule.reason for rule in denied.verdict.rules])


def question_text(shown: str, reasons: Iterable[str]) -> str:
    """What the agent wrote begins each line with a bar: none of it passes for ours."""
    why = "\n".join(f"- {one_line(reason)}" for reason in reasons)
    what = "\n".join(f"| {line}" for line in escaped(shown).split("\n"))
    return f"An agent asks to do this in its sandbox:\n\n{what}\n\nWhy you are asked:\n{why}"
