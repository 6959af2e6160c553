"""The file tools: what a sandbox's files hold, without a command."""

from dataclasses import dataclass
from typing import Annotated, Literal

from mcp.types import CallToolResult
from pydantic import Field

from policy.verdict import Permit
from server.call import FileAsk, RunAsk
from server.front.file_showing import MOST_ENTRIES, show_edited, show_entries, show_read, show_written
from server.front.front import Front
from server.front.parameters import FilePath, OptionalCount, OptionalText, SessionName, given
from server.front.showing import matches, show_matches
from server.sandbox import edits, files, reading
from server.sandbox.jobs import Job
from server.sandbox.reading import MAX_BASE64
from server.sandbox.sandbox import Found
from server.sandbox.session import Session

RIPGREP = (
    "rg",
    "--color=never",
    "--no-heading",
    "--no-messages",
    "--sort=path",
    "--max-columns=400",
    "--max-columns-preview",
    "--null",  # after each file's name, which may hold a colon
    "--with-filename",
)
MOST_FILES = 500  # of a search's files that are judged and shown


@dataclass(frozen=True, slots=True)
class FileTools:
    front: Front

    async def file_read(
        self,
        path: FilePath,
        session: SessionName = None,
        offset: Annotated[int, Field(ge=1, description="first line (base64: byte), from 1")] = 1,
        limit: Annotated[OptionalCount, Field(ge=1, le=MAX_BASE64, description="lines (base64: bytes)")] = None,
        encoding: Annotated[
            Literal["text", "numbered", "base64", "latin-1", "utf-16"],
            Field(description="numbered: with line numbers; latin-1, utf-16: where told to"),
        ] = "text",
    ) -> CallToolResult:
        """Read a file: text by lines, images as images, bytes as base64. Names the call that reads on."""
        asked = given(path=path, session=session, offset=offset, limit=limit, encoding=encoding)
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
            given(path=path, session=session, mode=mode, bytes=len(data)),
            lambda used, permit, found: files.write(used.sandbox, permit, found, data, mode),
        )
        return show_written(await self.front.gateway.use_file(self.front.caller, ask))

    async def file_edit(
        self,
        path: FilePath,
        old: Annotated[str, Field(description="exactly as in the file, with enough lines to be there once")],
        new: str,
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
        path: FilePath = ".",
        session: SessionName = None,
        glob: Annotated[
            OptionalText, Field(description="such as *.py: lists files at any depth, .gitignore honoured")
        ] = None,
        limit: Annotated[int, Field(ge=1, le=MOST_ENTRIES)] = 500,
    ) -> CallToolResult:
        """List a directory; with glob, the matching files below it."""
        if glob is not None:
            return await self._ripgrep("file_list", path, session, ("--files", f"--glob={glob}"), limit)
        ask = FileAsk(
            "file_list",
            self.front.target(session),
            "list",
            path,
            given(path=path, session=session, limit=limit),
            lambda used, permit, found: used.sandbox.entries(permit, found, limit),
        )
        return show_entries(
            await self.front.gateway.use_file(self.front.caller, ask), given(path=path, session=session, limit=limit)
        )

    async def file_search(
        self,
        pattern: Annotated[str, Field(min_length=1, max_length=1000, description="regular expression (Rust syntax)")],
        path: FilePath = ".",
        session: SessionName = None,
        glob: Annotated[OptionalText, Field(description="only files that match, such as *.py")] = None,
        limit: Annotated[int, Field(ge=1, le=5000, description="lines at most")] = 200,
    ) -> CallToolResult:
        """Search files below path; answers file:line:text. .gitignore is honoured."""
        only = () if glob is None else (f"--glob={glob}",)
        return await self._ripgrep("file_search", path, session, ("--line-number", *only, f"--regexp={pattern}"), limit)

    async def _ripgrep(
        self, tool: str, path: str, session: str | None, options: tuple[str, ...], limit: int
    ) -> CallToolResult:
        """Search below what the path really is, and show only files that file_read may read."""
        front, target = self.front, self.front.target(session)
        arguments = given(path=path, session=session, options=list(options), limit=limit)
        real = await front.gateway.use_file(front.caller, FileAsk(tool, target, "list", path, arguments, _real))
        argv = (*RIPGREP, *options, "--", real)
        ask = RunAsk(tool, target, argv, None, None, b"", 60.0, 45.0, background=False, arguments=arguments)
        ran = await front.gateway.run(front.caller, ask, _silent)
        found = matches(ran)
        seen = dict.fromkeys(path for path, _ in found[: 4 * limit])
        shown = await front.gateway.may_read(front.caller, target, list(seen)[:MOST_FILES])
        return show_matches(ran, found, shown, limit)


async def _real(session: Session, permit: Permit, found: Found) -> str:  # noqa: ARG001 - the shape of every act
    return found.real


async def _silent(job: Job) -> None:
    """A search shows its matches at the end, not as progress."""
