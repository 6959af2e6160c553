"""The `mcp` 1.x client over stdio, in an environment of its own: list, call with progress, a refusal. Prints one JSON object."""

import asyncio
import json
import os
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def main() -> None:
    program, *arguments = sys.argv[1:]
    progress: list[str] = []

    async def heard(step: float, total: float | None, message: str | None) -> None:
        progress.append(message or "")

    parameters = StdioServerParameters(command=program, args=arguments, env=dict(os.environ))
    async with stdio_client(parameters) as (read, write), ClientSession(read, write) as session:
        about = await session.initialize()
        tools = await session.list_tools()
        command = "echo one; sleep 0.5; echo two; exit 3"
        ran = await session.call_tool("shell", {"command": command}, progress_callback=heard)
        refused = await session.call_tool("shell", {"command": "sudo id"})
    found = {
        "protocol": about.protocolVersion,
        "tools": [tool.name for tool in tools.tools],
        "ran": ran.structuredContent,
        "progress": progress,
        "refused": {"isError": refused.isError, "content": [part.model_dump() for part in refused.content]},
    }
    print(json.dumps(found))


asyncio.run(main())
