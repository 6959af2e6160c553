"""`sandgate serve`."""

import argparse
import sys
from typing import Any

import anyio

from server.front.mcp_server import serve_stdio
from server.sandbox.workspaces import parse
from server.settings import Source


def serve(arguments: argparse.Namespace) -> int:
    overrides: dict[str, Any] = {}
    if arguments.workspace:
        overrides["workspace"] = tuple({"path": path, "mode": mode} for path, mode in map(parse, arguments.workspace))
    if arguments.allow_root_owned:
        overrides["allow_root_owned"] = True
    if arguments.environment:
        overrides["environment"] = arguments.environment
    if arguments.tools:
        overrides["tools"] = tuple(arguments.tools.split(","))
    source = Source(arguments.config, overrides)
    settings = source.read()
    for sentence in settings.warnings():
        print(f"sandgate: weakened: {sentence}", file=sys.stderr)
    anyio.run(serve_stdio, settings, source)
    return 0
