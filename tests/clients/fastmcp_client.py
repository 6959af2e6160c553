"""The client of fastmcp, in an environment of its own."""

import asyncio
import os
from typing import Any

from fastmcp import Client
from fastmcp.client.transports import SSETransport, StdioTransport, StreamableHttpTransport
from steps import Answer, Heard, Report, Target, progress, text


def transport(target: Target) -> Any:
    if target.kind == "stdio":
        program, *arguments = target.address
        return StdioTransport(program, arguments, env=dict(os.environ), keep_alive=False)
    made = SSETransport if target.kind == "sse" else StreamableHttpTransport
    return made(target.address[0], headers=target.headers)


async def main() -> None:
    target = Target.of_arguments()
    report = Report(target.session)

    async def answer(message: str, *_: Any) -> dict[str, bool]:
        report.asked.append(message)
        return {"allow": True}

    async with Client(transport(target), mode=target.mode, elicitation_handler=answer) as client:
        report.protocol = str(client.protocol_version)
        report.tools = [tool.name for tool in await client.list_tools()]

        async def call(
            name: str,
            arguments: dict[str, Any],
            heard: Heard = None,
            timeout_s: float | None = None,
        ) -> Answer:
            done = await client.call_tool(
                name, arguments, timeout=timeout_s, progress_handler=progress(heard), raise_on_error=False
            )
            return Answer(text(done.content), done.structured_content, done.is_error)

        await report.drive(call)


asyncio.run(main())
