"""The OpenAI Agents SDK with its MCP classes, driven by a script in the model's place; no network. Arguments as in steps.py."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from typing import Any

from agents import Agent, Model, ModelResponse, RunConfig, Runner, Usage
from agents.mcp import MCPServerSse, MCPServerStdio, MCPServerStreamableHttp
from openai.types.responses import (
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseStreamEvent,
)
from steps import RUN, Target

PATIENCE_S = 60  # the SDK's own is 5 s, which is less than a command may take


class Scripted(Model):
    """Calls one tool after the other and then says that it is done; remembers what it was shown."""

    def __init__(self, calls: list[tuple[str, dict[str, Any]]]) -> None:
        self._calls = iter(enumerate(calls))
        self.offered: list[str] = []
        self.seen: list[Any] = []

    async def get_response(self, *_: Any, **given: Any) -> ModelResponse:
        self.offered = [tool.name for tool in given["tools"]]
        self.seen = list(given["input"])
        return ModelResponse(output=[self._next()], usage=Usage(), response_id=None)

    def _next(self) -> ResponseFunctionToolCall | ResponseOutputMessage:
        for number, (name, given) in self._calls:
            return ResponseFunctionToolCall(
                type="function_call", call_id=f"c{number}", name=name, arguments=json.dumps(given)
            )
        text = ResponseOutputText(type="output_text", text="done", annotations=[])
        return ResponseOutputMessage(id="m", type="message", role="assistant", status="completed", content=[text])

    def stream_response(self, *_: Any, **__: Any) -> AsyncIterator[ResponseStreamEvent]:
        raise NotImplementedError


def connected(target: Target) -> Any:
    if target.kind == "stdio":
        program, *arguments = target.address
        params = {"command": program, "args": arguments, "env": dict(os.environ)}
        return MCPServerStdio(params, client_session_timeout_seconds=PATIENCE_S)
    made = MCPServerSse if target.kind == "sse" else MCPServerStreamableHttp
    params = {"url": target.address[0], "headers": target.headers}
    return made(params, client_session_timeout_seconds=PATIENCE_S)


async def main() -> None:
    calls = [RUN, "sudo id", "sleep 7; echo slept"]
    model = Scripted([("shell", {"command": command, "session": "work"}) for command in calls])
    async with connected(Target.of_arguments()) as server:
        agent = Agent(name="tester", model=model, mcp_servers=[server])
        done = await Runner.run(agent, "go", run_config=RunConfig(tracing_disabled=True))
    outputs = [json.dumps(item["output"]) for item in model.seen if item.get("type") == "function_call_output"]
    print(json.dumps({"tools": model.offered, "outputs": outputs, "said": done.final_output}))


if __name__ == "__main__":
    asyncio.run(main())
