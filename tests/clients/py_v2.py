"""The `mcp` 2.x client."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ElicitResult
from steps import Answer, Heard, Report, Target, progress, text


@asynccontextmanager
async def transport(target: Target) -> AsyncIterator[Any]:
    if target.kind == "stdio":
        program, *arguments = target.address
        yield StdioServerParameters(command=program, args=arguments, env=dict(os.environ))
    elif target.kind == "sse":
        yield sse_client(target.address[0], headers=target.headers)
    else:
        timeout = httpx2.Timeout(30, read=300)
        async with httpx2.AsyncClient(headers=target.headers, timeout=timeout) as http:
            yield streamable_http_client(target.address[0], http_client=http)


async def main() -> None:
    target = Target.of_arguments()
    report = Report(target.session)

    async def answer(_: Any, params: Any) -> ElicitResult:
        report.asked.append(params.message)
        return ElicitResult(action="accept", content={"allow": True})

    async with (
        transport(target) as made,
        Client(made, mode=target.mode, elicitation_callback=answer) as client,  # type: ignore[arg-type]
    ):
        report.protocol = str(client.protocol_version)
        report.tools = [tool.name for tool in (await client.list_tools()).tools]

        async def call(
            name: str,
            arguments: dict[str, Any],
            heard: Heard = None,
            timeout_s: float | None = None,
        ) -> Answer:
            done = await client.call_tool(
                name, arguments, read_timeout_seconds=timeout_s, progress_callback=progress(heard)
            )
            return Answer(text(done.content), done.structured_content, bool(done.is_error))

        await report.drive(call)


asyncio.run(main())
