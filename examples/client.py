"""The smallest client: start the server, run a command, read a refusal."""

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters


async def main() -> None:
    async with Client(StdioServerParameters(command="sandgate", args=["serve", "--stdio"])) as client:
        for command in ("python3 --version; ls /sys/class/net", "sudo id"):
            result = await client.call_tool("shell", {"command": command})
            print(f"$ {command}\n{result.content[0].text}\n")


anyio.run(main)
