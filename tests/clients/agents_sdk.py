"""The OpenAI Agents SDK with its MCP classes, driven by a script in the model's place; no network. Arguments as in steps.py."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from agents import Agent, Model, ModelResponse, RunConfig, Runner, Usage
from agents.mcp import MCPServerSse, MCPServerStdio, MCPServerStreamableHttp
from openai.types.responses import (
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseStreamEvent,
)
from steps import RUN, Answer, Target, Work, short, text

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


def connected(target: Target, patience_s: float = PATIENCE_S) -> Any:
    if target.kind == "stdio":
        program, *arguments = target.address
        params = {"command": program, "args": arguments, "env": dict(os.environ)}
        return MCPServerStdio(params, client_session_timeout_seconds=patience_s)
    made = MCPServerSse if target.kind == "sse" else MCPServerStreamableHttp
    params = {"url": target.address[0], "headers": target.headers}
    return made(params, client_session_timeout_seconds=patience_s)


async def ran(server: Any, calls: list[dict[str, Any]]) -> tuple[Scripted, str]:
    """A run of an agent whose model makes these calls of shell, and what it said at last."""
    model = Scripted([("shell", given) for given in calls])
    agent = Agent(name="tester", model=model, mcp_servers=[server])
    done = await Runner.run(agent, "go", run_config=RunConfig(tracing_disabled=True))
    return model, str(done.final_output)


def outputs(model: Scripted) -> list[str]:
    return [json.dumps(item["output"]) for item in model.seen if item.get("type") == "function_call_output"]


def work(server: Any, session: str) -> Work:
    async def call(name: str, arguments: dict[str, Any], *_: Any, **__: Any) -> Answer:
        done = await server.call_tool(name, arguments)
        return Answer(text(done.content), done.structuredContent, done.isError)

    return Work(call, session)


@asynccontextmanager
async def watching(target: Target, server: Any) -> AsyncIterator[Any]:
    """Over HTTP the SDK makes one request at a time, so who looks at what runs has a connection, and patience, of its own."""
    if target.kind == "stdio":
        yield server
        return
    async with connected(target) as other:
        yield other


async def main() -> None:
    target = Target.of_arguments()
    patience_s = short(target)
    async with connected(target) as server, watching(target, server) as watcher:
        ours = work(watcher, target.session)
        model, said = await ran(server, [ours.told(command) for command in (RUN, "sudo id")])
        stopped = asyncio.create_task(ran(server, [ours.sleeping("cancelled-run")]))
        cancelled = await ours.dropped(stopped, "cancelled-run")
        await ours.call("session_close", {"session": target.session})
    async with connected(target, patience_s) as server, watching(target, server) as watcher:
        ours = work(watcher, target.session)
        given = ours.told("exec -a timed-out-run sleep 61", timeout_s=patience_s + 2)
        late, went_on = await ran(server, [given])
        timed_out = await ours.until("timed-out-run", runs=False)
        await ours.call("session_close", {"session": target.session})
    told = {"tools": model.offered, "outputs": outputs(model), "said": said}
    print(json.dumps({**told, "gone": [cancelled, timed_out], "late": outputs(late), "went_on": went_on}))


if __name__ == "__main__":
    asyncio.run(main())
