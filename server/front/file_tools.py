"""The file tools: what a sandbox's files hold, without a command."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, Literal

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from policy.question import Op
from server.asks import FileAsk
from server.front.file_showing import MOST_ENTRIES, show_edited, show_entries, show_read, show_written
from server.front.front import Front
from server.front.parameters import FilePath, OptionalCount, OptionalText, SessionName, given
from server.front.search_showing import show_matches, show_names
from server.sandbox import edits, files, reading
from server.sandbox.pattern import read_pattern
from server.sandbox.reading import MAX_BASE64
from server.sandbox.search import Query, Searched, checked_glob, judged_by, search


@dataclass(frozen=True, slots=True)
class FileTools:
    front: Front

    async def file_read(
        self,
        path: FilePath,
        ctx: Context[Any, Any],  # noqa: ARG002 - `answering` asks a person with it
        session: SessionName = None,
        offset: Annotated[int, Field(ge=1, description="first line (base64: byte), from 1")] = 1,
        limit: Annotated[OptionalCount, Field(ge=1, le=MAX_BASE64, description="lines (base64: bytes)")] = None,
        encoding: Annotated[
            Literal["text", "numbered", "base64", "latin-1", "utf-16"],
            Field(description="numbered: with line numbers; latin-1, utf-16: where told to"),
        ] = "text",
    ) -> CallToolResult:
        """Read a file: text by lines, images as images, bytes as base64. Names the call that reads on."""
        special = None if encoding == "text" else encoding
        asked = given(path=path, session=session, offset=offset, limit=limit, encoding=special)
        part = reading.Part(offset, limit, encoding)
        ask = FileAsk(
            "file_read",
            self.front.target(session),
            "read",
            path,
            asked,
            lambda used, permit, found: reading.read(used.sandbox, permit, found, part),
        )
        return show_read(await self.front.gateway.use_file(self.front.caller, ask), asked)

    async def file_write(
        self,
        path: FilePath,
        content: str,
        ctx: Context[Any, Any],  # noqa: ARG002 - `answering` asks a person with it
        session: SessionName = None,
        encoding: Annotated[
            Literal["text", "base64"], Field(description="of content; text is stored as UTF-8")
        ] = "text",
        mode: Annotated[
            Literal["overwrite", "create", "append"], Field(description="create fails where it exists")
        ] = "overwrite",
    ) -> CallToolResult:
        """Write a whole file, atomically; folders are made, its mode is kept. To change a part use file_edit."""
        data = files.decode(content, encoding)
        ask = FileAsk(
            "file_write",
            self.front.target(session),
            "write",
            path,
            given(path=path, session=session, mode=mode, bytes=len(data), sha256=sha256(data).hexdigest()),
            lambda used, permit, found: files.write(used.sandbox, permit, found, data, mode),
            shows=content,
        )
        return show_written(await self.front.gateway.use_file(self.front.caller, ask))

    async def file_edit(
        self,
        path: FilePath,
        old: Annotated[str, Field(description="exactly as in the file, with enough lines to be there once")],
        new: str,
        ctx: Context[Any, Any],  # noqa: ARG002 - `answering` asks a person with it
        session: SessionName = None,
        replace_all: bool = False,
    ) -> CallToolResult:
        """Replace exact text. Answers with a diff; on a miss, with the nearest lines and how they differ."""
        change = edits.Change(old, new, replace_all)
        ask = FileAsk(
            "file_edit",
            self.front.target(session),
            "write",
            path,
            given(path=path, session=session, replace_all=replace_all, old=old, new=new),
            lambda used, permit, found: edits.edit(used.sandbox, permit, found, change),
            reads_too=True,
        )
        return show_edited(await self.front.gateway.use_file(self.front.caller, ask))

    async def file_list(
        self,
        ctx: Context[Any, Any],  # noqa: ARG002 - `answering` asks a person with it
        path: FilePath = ".",
        session: SessionName = None,
        glob: Annotated[
            OptionalText, Field(description="such as *.py: files at any depth, .gitignore honoured")
        ] = None,
        limit: Annotated[int, Field(ge=1, le=MOST_ENTRIES)] = 500,
    ) -> CallToolResult:
        """List a directory; with glob, the matching files below it."""
        asked = given(path=path, session=session, glob=glob, limit=limit)
        if glob is not None:
            query = Query(None, checked_glob(glob), limit)
            return show_names(*await self._search("file_list", path, session, query, asked), asked)
        ask = FileAsk(
            "file_list",
            self.front.target(session),
            "list",
            path,
            asked,
            lambda used, permit, found: used.sandbox.entries(permit, found, limit),
        )
        return show_entries(await self.front.gateway.use_file(self.front.caller, ask), asked)

    async def file_search(
        self,
        pattern: Annotated[str, Field(min_length=1, max_length=1000, description="regular expression, of one line")],
        ctx: Context[Any, Any],  # noqa: ARG002 - `answering` asks a person with it
        path: FilePath = ".",
        session: SessionName = None,
        glob: Annotated[OptionalText, Field(description="only files that match, such as *.{ts,tsx} or src/**")] = None,
        limit: Annotated[int, Field(ge=1, le=MOST_ENTRIES, description="matching lines at most")] = 200,
    ) -> CallToolResult:
        """Search files below path: file:line:text, with the lines around where few match. .gitignore is honoured."""
        asked = given(pattern=pattern, path=path, session=session, glob=glob, limit=limit)
        query = Query(read_pattern(pattern), None if glob is None else checked_glob(glob), limit)
        return show_matches(*await self._search("file_search", path, session, query, asked), asked)

    async def _search(
        self, tool: str, path: str, session: str | None, query: Query, asked: dict[str, Any]
    ) -> tuple[Searched, frozenset[str]]:
        """What is below what the path really is, and those of its files (or their folders) that may be shown."""
        front, target = self.front, self.front.target(session)
        ask = FileAsk(
            tool,
            target,
            "list",
            path,
            asked,
            lambda used, permit, found: search(used.sandbox, permit, found, query),
        )
        found = (await front.gateway.use_file(front.caller, ask)).judgeable()
        op: Op = "read" if query.pattern else "list"
        return found, await front.gateway.allowed(front.caller, target, op, dict.fromkeys(map(judged_by, found.hits)))
