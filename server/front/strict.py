"""A call with a parameter its tool does not have is answered with the ones it has: `timeout` is not `timeout_s`.

And one whose value cannot be is answered with what can, in a line, not with a validator's report.
"""

import re
from collections.abc import Mapping
from typing import Any

from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.types import INVALID_PARAMS

from server.front.results import failed

_REPORT = re.compile(r"Error executing tool (\w+): \d+ validation errors? for \w+\n(.*)", re.DOTALL)
_FIELD = re.compile(r"^(\S+)\n  (.*?)(?: \[type=.*)?$", re.MULTILINE)


def _plainly(result: HandlerResult) -> HandlerResult:
    """The validator's report (as the SDK puts it, already in wire form) as one sentence; anything else as it is."""
    match result:
        case {"isError": True, "content": [{"text": str(said)}]} if report := _REPORT.fullmatch(said):
            fields = "; ".join(f"{name}: {what[:1].lower()}{what[1:]}" for name, what in _FIELD.findall(report[2]))
            return failed(f"{report[1]} was called wrongly: {fields}. Nothing ran.")
        case _:
            return result


class KnownParameters:
    """Middleware: the SDK itself passes unknown arguments over in silence."""

    def __init__(self, mcp: MCPServer[Any]) -> None:
        self._mcp = mcp
        self._known: dict[str, tuple[str, ...]] = {}

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if ctx.method == "tools/call" and (sentence := await self._objection(ctx.params or {})):
            return failed(sentence)
        if ctx.method == "prompts/get" and not await self._mcp.list_prompts():
            raise MCPError(INVALID_PARAMS, "there are no prompts here")  # the SDK would fill the log with each
        return _plainly(await call_next(ctx))

    async def _objection(self, params: Mapping[str, Any]) -> str | None:
        if not self._known:
            tools = await self._mcp.list_tools()
            self._known = {tool.name: tuple(tool.input_schema["properties"]) for tool in tools}
        name, arguments = params.get("name"), params.get("arguments")
        if not isinstance(arguments, Mapping) or not isinstance(name, str) or name not in self._known:
            return None  # the SDK's own answer says what is wrong
        unknown = [key for key in arguments if key not in self._known[name]]
        if not unknown:
            return None
        return f"{name} has no parameter {unknown[0]!r:.60}; it takes {', '.join(self._known[name])}. Nothing ran."
