"""What comes on stdio and is no message is answered here: the SDK passes it over, and a client would wait for ever.

JSON-RPC 2.0, section 5: -32700 where it is no JSON, -32600 where it is no request; the id where there is one, else null.
"""

import json
from collections.abc import AsyncIterator
from typing import Any, Final, Self

import anyio
from mcp.shared.message import SessionMessage
from mcp.types import INVALID_REQUEST, PARSE_ERROR, JSONRPCMessage, JSONRPCNotification, jsonrpc_message_adapter
from pydantic import ValidationError

from server.front.backlog import Backlog, Stream

LONGEST_ID: Final = 1_000  # characters of an id that is given back


class WellFormed(Stream):
    """The stream of messages from the client that the SDK asks for: those lines that are some. The next is looked for once
    there is room for its answer."""

    def __init__(self, lines: AsyncIterator[str], answers: Backlog) -> None:
        self._lines, self._answers = lines, answers

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage:
        await self._answers.room()
        async for line in self._lines:
            if not line.strip():
                continue
            message = _message(line)
            if not isinstance(message, str):
                return SessionMessage(message)
            await self._answers.write(message)
        raise StopAsyncIteration

    async def receive(self) -> SessionMessage:
        """Raises anyio.EndOfStream."""
        async for message in self:
            return message
        raise anyio.EndOfStream


def _message(line: str) -> JSONRPCMessage | str:
    """What a line says; the answer to one that is no message."""
    try:
        message = jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValidationError as exc:
        is_json = exc.errors(include_url=False, include_input=False)[0]["type"] != "json_invalid"
        told = "it is no request of JSON-RPC 2.0" if is_json else str(exc.errors(include_input=False)[0]["msg"])
        return _error(INVALID_REQUEST if is_json else PARSE_ERROR, told, _loose(line))
    if isinstance(message, JSONRPCNotification) and '"id"' in line and "id" in (loose := _loose(line) or {}):
        return _error(INVALID_REQUEST, "an id is text or a whole number", loose)
    return message


def _loose(line: str) -> Any:
    """As a more generous reader takes it: with half characters, and numbers of any length."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _error(code: int, message: str, loose: Any) -> str:
    given = loose.get("id") if isinstance(loose, dict) else None
    said = {"jsonrpc": "2.0", "id": given if _is_id(given) else None, "error": {"code": code, "message": message}}
    return json.dumps(said)


def _is_id(given: object) -> bool:
    """One that the client can read back: half a character is none to a strict reader."""
    if isinstance(given, str):
        return len(given) <= LONGEST_ID and given.encode("utf-8", "ignore").decode() == given
    return type(given) is int
