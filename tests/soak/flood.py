"""One caller at full blast, in a process of its own: `python -m tests.soak.flood URL TOKEN TOOL WORKERS SECONDS`.

Says how many calls were answered and how many were refused, when its time is over.
"""

import json
import sys
import time
from typing import Any

import anyio
import httpx
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

ARGUMENTS: dict[str, dict[str, Any]] = {
    "session_list": {},
    "exec": {"argv": ["true"], "session": "flood"},
    "policy_check": {"command": "ls | grep x && rm -rf y; curl https://a.example"},
}


async def flood(url: str, token: str, tool: str, workers: int, seconds: float) -> dict[str, int]:
    told = {"answered": 0, "refused": 0}
    ends = time.monotonic() + seconds

    async def work(client: Client) -> None:
        while time.monotonic() < ends:
            try:
                await client.call_tool(tool, ARGUMENTS[tool])
                told["answered"] += 1
            except MCPError:
                told["refused"] += 1

    pool = httpx.Limits(max_connections=workers + 8)
    async with (
        httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=60, limits=pool) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client,  # type: ignore[arg-type]  # as in http_rig
        anyio.create_task_group() as tasks,
    ):
        for _ in range(workers):
            tasks.start_soon(work, client)
    return told


def main() -> None:
    url, token, tool, workers, seconds = sys.argv[1:]
    sys.stdout.write(json.dumps(anyio.run(flood, url, token, tool, int(workers), float(seconds))))


if __name__ == "__main__":
    main()
