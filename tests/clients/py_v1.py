"""The `mcp` 1.x client, in an environment of its own."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import anyio
import httpx
from mcp import ClientSession, StdioServerParameters
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ElicitResult
from steps import Answer, Heard, Report, Target, progress, text


@asynccontextmanager
async def connected(target: Target) -> AsyncIterator[tuple[Any, Any]]:
    if target.kind == "stdio":
        program, *arguments = target.address
        parameters = StdioServerParameters(command=program, args=arguments, env=dict(os.environ))
        async with stdio_client(parameters) as (read, write):
            yield read, write
    elif target.kind == "sse":
        async with sse_client(target.address[0], headers=target.headers) as (read, write):
            yield read, write
    else:
        timeout = httpx.Timeout(30, read=300)
        async with (
            httpx.AsyncClient(headers=target.headers, timeout=timeout) as http,
            streamable_http_client(target.address[0], http_client=http) as (read, write, _),
        ):
            yield read, write


async def main() -> None:
    target = Target.of_arguments()
    report = Report(target.session, silent=True)

    async def answer(_: Any, params: Any) -> ElicitResult:
        report.asked.append(params.message)
        return ElicitResult(action="accept", content={"allow": True})

    async with (
        connected(target) as (read, write),
        ClientSession(read, write, elicitation_callback=answer) as session,
    ):
        report.protocol = str((await session.initialize()).protocolVersion)
        report.tools = [tool.name for tool in (await session.list_tools()).tools]

        async def call(
            name: str,
            arguments: dict[str, Any],
            heard: Heard = None,
            timeout_s: float | None = None,
        ) -> Answer:
            limit = timedelta(seconds=timeout_s) if timeout_s else None
            done = await session.call_tool(
                name, arguments, read_timeout_seconds=limit, progress_callback=progress(heard)
            )
            return Answer(text(done.content), done.structuredContent, done.isError)

        await report.drive(call)


with suppress(anyio.BrokenResourceError):  # it stumbles where the answer to what it gave up comes while it leaves
    asyncio.run(main())
