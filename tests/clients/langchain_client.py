"""LangChain's MCP adapter under an agent of its own, with a script in the model's place; no network. Arguments as in steps.py."""

import asyncio
import json
import os
from collections.abc import Iterator
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_mcp_adapters.callbacks import Callbacks
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools
from mcp.types import ElicitResult
from steps import ASKED, RUN, Target


class Scripted(GenericFakeChatModel):
    offered: list[str] = []  # noqa: RUF012 - a field of a pydantic model

    def bind_tools(self, tools: Any, **_: Any) -> "Scripted":
        self.offered = [tool.name for tool in tools]
        return self


def script(commands: list[str]) -> Iterator[AIMessage]:
    for number, command in enumerate(commands):
        call = {"name": "shell", "args": {"command": command, "session": "work"}, "id": f"c{number}"}
        yield AIMessage(content="", tool_calls=[call])
    yield AIMessage(content="done")


def connection(target: Target) -> dict[str, Any]:
    if target.kind == "stdio":
        program, *arguments = target.address
        return {"transport": "stdio", "command": program, "args": arguments, "env": dict(os.environ)}
    transport = "sse" if target.kind == "sse" else "streamable_http"
    return {"transport": transport, "url": target.address[0], "headers": target.headers}


async def main() -> None:
    progress: list[str] = []
    asked: list[str] = []

    async def told(_: float, __: float | None, message: str | None, ___: Any) -> None:
        progress.append(message or "")

    async def answer(_: Any, params: Any, __: Any) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action="accept", content={"allow": True})

    callbacks = Callbacks(on_progress=told, on_elicitation=answer)
    client = MultiServerMCPClient({"sandgate": connection(Target.of_arguments())}, callbacks=callbacks)
    model = Scripted(messages=script([RUN, "sudo id", ASKED]))
    async with client.session("sandgate") as session:  # client.get_tools() alone would start a server for each call
        tools = await load_mcp_tools(session, callbacks=callbacks, server_name="sandgate")
        done = await create_agent(model, tools).ainvoke({"messages": [("user", "go")]})
    outputs = [json.dumps(said.content) for said in done["messages"] if isinstance(said, ToolMessage)]
    found = {"tools": model.offered, "outputs": outputs, "said": done["messages"][-1].content}
    print(json.dumps({**found, "progress": "".join(progress), "asked": asked}))


asyncio.run(main())
