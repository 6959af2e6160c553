"""results = "auto": both forms of a result, but text alone for hosts that show a model nothing else where there is more.

Claude Code gives a model only the structured content of a result that has some, as JSON: the same output, longer, and
without the lines that say what to do next. It reads only the text of errors, so those stay whole.
"""

from typing import Any, Final

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

TEXT_ALONE: Final = frozenset({"claude-code"})  # as they name themselves


async def shape_for_host(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Middleware."""
    result = await call_next(ctx)
    if ctx.method not in ("tools/call", "tools/list") or _host(ctx) not in TEXT_ALONE:
        return result
    match result:
        case dict({"tools": list(tools)}):
            return result | {"tools": [_without(tool, "outputSchema") for tool in tools]}
        case dict({"structuredContent": _, "content": [_, *_]}) if not result.get("isError"):
            return _without(result, "structuredContent")
        case _:
            return result


def _host(ctx: ServerRequestContext[Any, Any]) -> str:
    params = ctx.session.client_params
    return params.client_info.name if params is not None and params.client_info is not None else ""


def _without(fields: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}
