"""Files of a session as an MCP resource, read as file_read would: judged, audited, and only by the session's owner."""

import base64
from dataclasses import dataclass
from typing import Any, Final

from mcp.server import MCPServer
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import ResourceSecurity
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp.types import TextContent

from policy.verdict import Permit
from server.asks import FileAsk
from server.front.errors import told
from server.front.front import Front
from server.front.parameters import LONGEST_PATH
from server.front.sendable import sendable
from server.sandbox.reading import MAX_BASE64, image_type
from server.sandbox.sandbox import FileRefused, Found
from server.sandbox.session import Session
from server.sandbox.sessions import NoSuchSession

TEMPLATE: Final = "sandgate://{session}/{+path}"
SNIFFED: Final = 16  # characters of base64 that hold an image's first bytes


@dataclass(frozen=True, slots=True)
class FileResource:
    front: Front

    async def file(self, session: str, path: str) -> str | bytes:
        """A whole file of a session; path as file_read takes it, so /etc/hosts is sandgate://NAME//etc/hosts."""
        if len(path) > LONGEST_PATH:
            raise ResourceNotFoundError(f"a path has at most {LONGEST_PATH} characters")
        try:
            self.front.gateway.sessions.find(self.front.caller.id, session)  # to read makes no session
            data = await self.front.gateway.use_file(self.front.caller, self._ask(session, path))
        except NoSuchSession as exc:
            raise ResourceNotFoundError(str(exc)) from exc
        except Exception as exc:
            said = told(exc).content[0]
            raise ResourceError(sendable(said.text) if isinstance(said, TextContent) else "refused") from exc
        try:
            return data.decode()
        except UnicodeDecodeError:
            return data

    def _ask(self, session: str, path: str) -> FileAsk[bytes]:
        target, asked = self.front.target(session), {"path": path, "session": session, "by": "resource"}
        return FileAsk("file_read", target, "read", path, asked, _whole)


async def _whole(used: Session, permit: Permit, found: Found) -> bytes:
    content = await used.sandbox.read(permit, found, MAX_BASE64)
    if content.size > MAX_BASE64:
        raise FileRefused(f"it has {content.size} bytes; file_read reads a part of it, at most {MAX_BASE64} at once")
    return content.data


def add_files(mcp: MCPServer[Any], front: Front) -> None:
    """The resource template; a path with .. in it, or from the root, is judged as any other."""
    resource = FileResource(front)
    judged = ResourceSecurity(exempt_params={"path"})
    mcp.resource(TEMPLATE, name="file", description=resource.file.__doc__, security=judged)(resource.file)
    mcp.middleware.append(name_types)


async def name_types(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """What the bytes of a file are: the SDK knows one type for all that a template gives."""
    result = await call_next(ctx)
    match result:
        case dict({"contents": [{"blob": str(blob)} as content]}) if ctx.method == "resources/read":
            known = image_type(base64.b64decode(blob[:SNIFFED]))
            return result | {"contents": [{**content, "mimeType": known or "application/octet-stream"}]}
        case _:
            return result
