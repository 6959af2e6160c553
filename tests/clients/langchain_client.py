"""LangChain's MCP adapter under an agent of its own, with a script in the model's place; no network. Arguments as in steps.py."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_mcp_adapters.callbacks import Callbacks
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools
from mcp.shared.exceptions import McpError
from mcp.types import ElicitResult
from steps import ASKED, RUN, Answer, Target, Work, short, text


class Scripted(GenericFakeChatModel):
    offered: list[str] = []  # noqa: RUF012 - a field of a pydantic model

    def bind_tools(self, tools: Any, **_: Any) -> "Scripted":
        self.offered = [tool.name for tool in tools]
        return self


def script(calls: list[dict[str, Any]]) -> Iterator[AIMessage]:
    for number, given in enumerate(calls):
        yield AIMessage(content="", tool_calls=[{"name": "shell", "args": given, "id": f"c{number}"}])
    yield AIMessage(content="done")


def connection(target: Target) -> dict[str, Any]:
    if target.kind == "stdio":
        program, *arguments = target.address
        return {"transport": "stdio", "command": program, "args": arguments, "env": dict(os.environ)}
    transport = "sse" if target.kind == "sse" else "streamable_http"
    return {"transport": transport, "url": target.address[0], "headers": target.headers}


async def ran(tools: Any, calls: list[dict[str, Any]]) -> tuple[Scripted, list[Any]]:
    model = Scripted(messages=script(calls))
    return model, (await create_agent(model, tools).ainvoke({"messages": [("user", "go")]}))["messages"]


def work(session: Any, name: str) -> Work:
    async def call(tool: str, arguments: dict[str, Any], *_: Any, **__: Any) -> Answer:
        done = await session.call_tool(tool, arguments)
        return Answer(text(done.content), done.structuredContent, done.isError)

    return Work(call, name)


@asynccontextmanager
async def watching(target: Target, session: Any) -> AsyncIterator[Any]:
    """Who looks at what runs has a connection with patience of its own, where two can reach one server."""
    if target.kind == "stdio":
        yield session
        return
    async with MultiServerMCPClient({"sandgate": connection(target)}).session("sandgate") as other:
        yield other


async def main() -> None:
    target = Target.of_arguments()
    patience_s = short(target)
    progress: list[str] = []
    asked: list[str] = []

    async def told(_: float, __: float | None, message: str | None, ___: Any) -> None:
        progress.append(message or "")

    async def answer(_: Any, params: Any, __: Any) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action="accept", content={"allow": True})

    callbacks = Callbacks(on_progress=told, on_elicitation=answer)
    client = MultiServerMCPClient({"sandgate": connection(target)}, callbacks=callbacks)
    async with client.session("sandgate") as session:  # client.get_tools() alone would start a server for each call
        tools, ours = (
            await load_mcp_tools(session, callbacks=callbacks, server_name="sandgate"),
            work(session, target.session),
        )
        model, messages = await ran(tools, [ours.told(command) for command in (RUN, "sudo id", ASKED)])
        stopped = asyncio.create_task(ran(tools, [ours.sleeping("cancelled-run")]))
        cancelled = await ours.dropped(stopped, "cancelled-run")
        await ours.call("session_close", {"session": target.session})
    hasty = {**connection(target), "session_kwargs": {"read_timeout_seconds": timedelta(seconds=patience_s)}}
    async with (
        MultiServerMCPClient({"sandgate": hasty}).session("sandgate") as session,
        watching(target, session) as other,
    ):
        tools, ours = await load_mcp_tools(session), work(other, target.session)
        late = ""
        try:
            await ran(tools, [ours.told("exec -a timed-out-run sleep 61", timeout_s=patience_s + 2)])
        except McpError as exc:  # it is the agent's to handle
            late = str(exc)
        timed_out = await ours.until("timed-out-run", runs=False)
        await ours.call("session_close", {"session": target.session})
    outputs = [json.dumps(said.content) for said in messages if isinstance(said, ToolMessage)]
    found = {"tools": model.offered, "outputs": outputs, "said": messages[-1].content, "progress": "".join(progress)}
    print(json.dumps({**found, "asked": asked, "gone": [cancelled, timed_out], "late": [late]}))


asyncio.run(main())
