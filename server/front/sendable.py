"""Answers hold no half characters: names and lines of a sandbox's files are bytes, and may be no UTF-8 at all.

Python carries such bytes as lone surrogates, which no message can be written with: one of them in an answer ended a server
on stdio with all its sessions.
"""

import re
from typing import Any, Final

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from pydantic_core import PydanticSerializationError, to_json

_HALF: Final = re.compile("[\ud800-\udfff]")


async def only_sendable(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Middleware, the innermost: there every result is in the form in which it is sent. Nearly all can be written as they
    are, which is found out by doing so: that costs a twentieth of looking at each of their texts."""
    result = await call_next(ctx)
    try:
        to_json(result)
    except PydanticSerializationError:
        return sendable(result)  # type: ignore[no-any-return]  # of the kind that it was
    return result


def sendable(value: Any) -> Any:
    """The same with the replacement character for each half character, in all text of it."""
    match value:
        case str():
            return value if value.isascii() else _HALF.sub("\ufffd", value)
        case dict():
            return {key: sendable(inner) for key, inner in value.items()}
        case list():
            return [sendable(inner) for inner in value]
        case _:
            return value
