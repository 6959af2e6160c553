"""The file tools: what a sandbox's files hold, without a command."""

from dataclasses import dataclass
from typing import Annotated, Literal

from mcp.types import CallToolResult
from pydantic import Field

from policy.verdict import Permit
from server.call import FileAsk, RunAsk
from server.front.front import Front
from server.front.parameters import FilePath, OptionalText, SessionName, given
from server.front.showing import matches, show_edited, show_entries, show_file, show_matches, show_written
from server.sandbox import files
from server.sandbox.jobs import Job
from server.sandbox.sandbox import Found
from server.sandbox.sessions import Session

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
        offset: Annotated[int, Field(ge=1, description="first line, counted from 1")] = 1,
        limit: Annotated[int, Field(ge=1, le=20_000, description="lines at most")] = 2000,
        encoding: Literal["text", "base64"] = "text",
    ) -> CallToolResult:
        """Read a file: text by lines, base64 for other bytes; images come as images."""
        ask = FileAsk(
            "file_read",
            self.front.target(session),
            "read",
            path,
            given(path=path, session=session, offset=offset, limit=limit),
            lambda used, permit, found: files.read(used.sandbox, permit, found, offset, limit, encoding),
        )
        return show_file(await self.front.gateway.use_file(self.front.caller, ask))

    async def file_write(
        self,
        path: FilePath,
        content: str,
        session: SessionName = None,
        encoding: Literal["text", "base64"] = "text",
        mode: Annotated[
            Literal["overwrite", "create", "append"], Field(description="create fails where it exists")
        ] = "overwrite",
    ) -> CallToolResult:
        """Write a file, folders made as needed. Readers see the old file or the new one, never half of it."""
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
        old: Annotated[str, Field(description="exact text, with enough lines around it to be there once")],
        new: str,
        session: SessionName = None,
        replace_all: bool = False,
    ) -> CallToolResult:
        """Replace exact text in a file; answers with a diff, or with what is near where it was not found."""
        ask = FileAsk(
            "file_edit",
            self.front.target(session),
            "write",
            path,
            given(path=path, session=session, replace_all=replace_all, old=old, new=new),
            lambda used, permit, found: files.edit(used.sandbox, permit, found, old, new, replace_all=replace_all),
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
        limit: Annotated[int, Field(ge=1, le=5000)] = 500,
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
        return show_entries(path, *await self.front.gateway.use_file(self.front.caller, ask))

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
