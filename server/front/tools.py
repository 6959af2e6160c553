"""The MCP tools: their names, words and schemas, and nothing else; each hands one ask to the gateway.

Schemas are flat on purpose: hosts choke on $ref, anyOf and oneOf. All four annotations are set, because their defaults
are pessimistic. Descriptions are for a model: what it does, its limits, how long a handle lives.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import anyio
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, ToolAnnotations
from pydantic import Field, WithJsonSchema

from server.call import Caller, FileAsk, Gateway, RunAsk, SessionAsk, Target
from server.front.answers import answering
from server.front.progress import streaming
from server.front.results import RunResult, Shape, check_result, plain, run_result, shaped
from server.front.showing import (
    show_edited,
    show_entries,
    show_file,
    show_job,
    show_matches,
    show_sessions,
    show_written,
)
from server.sandbox import files
from server.sandbox.jobs import Job
from server.settings import ToolGroup

MAX_COMMAND = 32_768  # characters; what is longer belongs in a file
MAX_WAIT_S = 50.0  # hosts give up on a call after 60 s
MAX_TIMEOUT_S = 3600.0
BASH = ("/bin/bash", "--noprofile", "--norc", "-c")
RIPGREP = (
    "rg",
    "--color=never",
    "--no-heading",
    "--no-messages",
    "--sort=path",
    "--max-columns=400",
    "--max-columns-preview",
)

OptionalText = Annotated[str | None, WithJsonSchema({"type": "string"})]
SessionName = Annotated[OptionalText, Field(description="sandbox to use; default: your own, made at the first call")]
Folder = Annotated[OptionalText, Field(description="directory to start in; default: the workspace")]
Chars = Annotated[int, Field(ge=100, le=200_000, description="characters of stdout in the answer; the rest is kept")]
Timeout = Annotated[float, Field(gt=0, le=MAX_TIMEOUT_S, description="seconds until the command is stopped")]
Wait = Annotated[float, Field(ge=0, le=MAX_WAIT_S, description="seconds to wait before answering with a running job")]
Background = Annotated[bool, Field(description="answer at once; it may run as long as the session")]

RUNS = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=True)
READS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
WRITES = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)
APPENDS = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=False)
OPENS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False)

type Answer = CallToolResult


@dataclass(frozen=True, slots=True)
class _How:
    """The parameters that shell and exec share."""

    session: str | None
    cwd: str | None
    stdin: str | None
    timeout_s: float
    wait_s: float
    background: bool

    def given(self) -> dict[str, Any]:
        return _given(
            session=self.session, cwd=self.cwd, stdin=self.stdin, timeout_s=self.timeout_s, background=self.background
        )


@dataclass(frozen=True, slots=True)
class Tools:
    """The tools over one gateway, for one kind of caller."""

    gateway: Gateway
    caller: Caller
    environment: str
    shape: Shape
    default_session: str = "default"

    def register(self, mcp: MCPServer[Any], groups: tuple[ToolGroup, ...]) -> None:
        """Add the chosen groups' tools, always in the same order."""
        result = {"structured_output": self.shape != "text"}
        table: dict[ToolGroup, list[tuple[Callable[..., Awaitable[Any]], ToolAnnotations, dict[str, Any]]]] = {
            "shell": [(self.shell, RUNS, result), (self.exec, RUNS, result)],
            "jobs": [(self.job_output, READS, {}), (self.job_stop, WRITES, {})],
            "files": [
                (self.file_read, READS, {}),
                (self.file_write, WRITES, {}),
                (self.file_edit, APPENDS, {}),
                (self.file_list, READS, {}),
                (self.file_search, READS, {}),
            ],
            "sessions": [
                (self.session_open, OPENS, {}),
                (self.session_list, READS, {}),
                (self.session_close, WRITES, {}),
            ],
            "policy": [(self.policy_check, READS, {})],
        }
        for group, tools in table.items():
            for tool, annotations, options in tools if group in groups else ():
                mcp.add_tool(answering(tool), annotations=annotations, **({"structured_output": False} | options))

    def _target(self, session: str | None) -> Target:
        return Target(session or self.default_session, self.environment)

    # --- commands ----------------------------------------------------------------------------------------------------

    async def shell(
        self,
        command: Annotated[str, Field(max_length=MAX_COMMAND, description="bash script; one line or many")],
        ctx: Context[Any, Any],
        session: SessionName = None,
        cwd: Folder = None,
        stdin: OptionalText = None,
        timeout_s: Timeout = 300,
        wait_s: Wait = 45,
        background: Background = False,
        max_chars: Chars = 20_000,
    ) -> Annotated[CallToolResult, RunResult]:
        """Run a bash script in the sandbox. Files persist between calls; shell state (cd, variables) does not: each call
        starts in cwd. No root, no sudo; the network reaches only allowed hosts. After wait_s the answer says "running"
        and names a job. Long output is cut in the middle; job_output reads the rest."""
        how = _How(session, cwd, stdin, timeout_s, wait_s, background)
        argv = (*BASH, command)
        return await self._run("shell", argv, command, how, {"command": command}, ctx, max_chars)

    async def exec(
        self,
        argv: Annotated[list[str], Field(min_length=1, max_length=1024, description="program and its arguments")],
        ctx: Context[Any, Any],
        session: SessionName = None,
        cwd: Folder = None,
        stdin: OptionalText = None,
        timeout_s: Timeout = 300,
        wait_s: Wait = 45,
        background: Background = False,
        max_chars: Chars = 20_000,
    ) -> Annotated[CallToolResult, RunResult]:
        """Run one program in the sandbox without a shell: no quoting, globs or pipes. Otherwise like shell."""
        how = _How(session, cwd, stdin, timeout_s, wait_s, background)
        return await self._run("exec", tuple(argv), None, how, {"argv": argv}, ctx, max_chars)

    async def _run(
        self,
        tool: str,
        argv: tuple[str, ...],
        script: str | None,
        how: "_How",
        what: dict[str, Any],
        ctx: Context[Any, Any],
        max_chars: int,
    ) -> CallToolResult:
        ask = RunAsk(
            tool=tool,
            target=self._target(how.session),
            argv=argv,
            script=script,
            cwd=how.cwd,
            stdin=(how.stdin or "").encode("utf-8", "surrogateescape"),
            timeout_s=how.timeout_s,
            wait_s=0 if how.background else how.wait_s,
            background=how.background,
            arguments=what | how.given(),
        )
        ran = await self.gateway.run(self.caller, ask, streaming(ctx))
        return run_result(ran, max_chars, self.shape)

    # --- jobs --------------------------------------------------------------------------------------------------------

    async def job_output(
        self,
        job: Annotated[OptionalText, Field(description="job name; default: the newest")] = None,
        session: SessionName = None,
        stream: Literal["stdout", "stderr"] = "stdout",
        offset: Annotated[int, Field(ge=0, description="byte to start at")] = 0,
        limit: Annotated[int, Field(ge=1, le=1_000_000, description="bytes at most")] = 20_000,
        wait_s: Annotated[float, Field(ge=0, le=MAX_WAIT_S, description="wait for output past offset, or the end")] = 0,
        encoding: Literal["text", "base64"] = "text",
    ) -> CallToolResult:
        """Read a job's output from any byte offset; the answer names the next offset. Output is kept while the session
        lives, beginning and end for certain."""
        target = self._target(session)

        async def act(caller: Caller) -> CallToolResult:
            found = self.gateway.sessions.find(caller.id, target.session).job(job)
            await _wait_for(found, stream, offset, wait_s)
            return show_job(found, stream, found.streams[stream].read(offset, limit), encoding)

        arguments = _given(job=job, session=session, stream=stream, offset=offset, limit=limit)
        return await self.gateway.use_session(self.caller, SessionAsk("job_output", target, arguments, act))

    async def job_stop(
        self,
        job: Annotated[OptionalText, Field(description="job name; default: the newest")] = None,
        session: SessionName = None,
        signal: Literal["TERM", "INT", "KILL", "HUP"] = "TERM",
    ) -> CallToolResult:
        """End a job and every process it started; KILL follows after 2 s."""
        target = self._target(session)

        async def act(caller: Caller) -> CallToolResult:
            found = self.gateway.sessions.find(caller.id, target.session).job(job)
            end = await found.stop({"TERM": 15, "INT": 2, "KILL": 9, "HUP": 1}[signal], "killed")
            return plain(
                f"job {found.name}: {found.status}" if end else f"job {found.name} did not end; it is being killed"
            )

        arguments = _given(job=job, session=session, signal=signal)
        return await self.gateway.use_session(self.caller, SessionAsk("job_stop", target, arguments, act))

    # --- files -------------------------------------------------------------------------------------------------------

    async def file_read(
        self,
        path: str,
        session: SessionName = None,
        offset: Annotated[int, Field(ge=1, description="first line, counted from 1")] = 1,
        limit: Annotated[int, Field(ge=1, le=20_000, description="lines at most")] = 2000,
        encoding: Literal["text", "base64"] = "text",
    ) -> CallToolResult:
        """Read a file: text by lines, base64 for other bytes; images come as images."""
        ask = FileAsk(
            "file_read",
            self._target(session),
            "read",
            path,
            _given(path=path, session=session, offset=offset, limit=limit),
            lambda used, permit, found: files.read(used.sandbox, permit, found, offset, limit, encoding),
        )
        return show_file(await self.gateway.use_file(self.caller, ask))

    async def file_write(
        self,
        path: str,
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
            self._target(session),
            "write",
            path,
            _given(path=path, session=session, mode=mode, bytes=len(data)),
            lambda used, permit, found: files.write(used.sandbox, permit, found, data, mode),
        )
        return show_written(await self.gateway.use_file(self.caller, ask))

    async def file_edit(
        self,
        path: str,
        old: Annotated[str, Field(description="exact text, with enough lines around it to be there once")],
        new: str,
        session: SessionName = None,
        replace_all: bool = False,
    ) -> CallToolResult:
        """Replace exact text in a file; answers with a diff, or with what is near where it was not found."""
        ask = FileAsk(
            "file_edit",
            self._target(session),
            "write",
            path,
            _given(path=path, session=session, replace_all=replace_all, old=old, new=new),
            lambda used, permit, found: files.edit(used.sandbox, permit, found, old, new, replace_all=replace_all),
        )
        return show_edited(await self.gateway.use_file(self.caller, ask))

    async def file_list(
        self,
        path: str = ".",
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
            self._target(session),
            "list",
            path,
            _given(path=path, session=session, limit=limit),
            lambda used, permit, found: used.sandbox.entries(permit, found, limit),
        )
        return show_entries(path, *await self.gateway.use_file(self.caller, ask))

    async def file_search(
        self,
        pattern: Annotated[str, Field(min_length=1, max_length=1000, description="regular expression (Rust syntax)")],
        path: str = ".",
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
        argv = (*RIPGREP, *options, "--", path)
        arguments = _given(path=path, session=session, options=list(options), limit=limit)
        ask = RunAsk(
            tool, self._target(session), argv, None, None, b"", 60.0, 45.0, background=False, arguments=arguments
        )
        return show_matches(await self.gateway.run(self.caller, ask, _silent), limit)

    # --- sessions ----------------------------------------------------------------------------------------------------

    async def session_open(
        self,
        session: Annotated[
            OptionalText, Field(max_length=64, description="a name of your choice; default: one is made up")
        ] = None,
        environment: Annotated[OptionalText, Field(description="default: the server's own")] = None,
        network: Annotated[
            list[str],
            Field(max_length=64, description="hosts it may reach, out of those allowed; default: all of those"),
        ] = [],  # noqa: B006 - never changed; a default_factory would hide the default from the schema
    ) -> CallToolResult:
        """Open a sandbox of its own. It lives until session_close or the server's end."""
        target = Target(session or "", environment or self.environment)

        async def act(caller: Caller) -> CallToolResult:
            made = await self.gateway.sessions.open(caller.id, session, target.environment, tuple(network))
            text = f"session {made.name} is open: environment {made.spec.environment}, cwd {made.spec.start_dir}. Pass session={made.name!r}."
            return shaped(
                text,
                {"session": made.name, "environment": made.spec.environment, "cwd": made.spec.start_dir},
                self.shape,
            )

        arguments = _given(session=session, environment=environment, network=network)
        return await self.gateway.use_session(self.caller, SessionAsk("session_open", target, arguments, act))

    async def session_list(self) -> CallToolResult:
        """Your sessions and their jobs."""

        async def act(caller: Caller) -> CallToolResult:
            return show_sessions(self.gateway.sessions.of(caller.id), self.shape)

        return await self.gateway.use_session(self.caller, SessionAsk("session_list", self._target(None), {}, act))

    async def session_close(self, session: SessionName = None) -> CallToolResult:
        """Destroy a session: its processes and its files, but not folders lent by the operator."""
        target = self._target(session)

        async def act(caller: Caller) -> CallToolResult:
            await self.gateway.sessions.close(caller.id, target.session)
            return plain(f"session {target.session} is closed")

        return await self.gateway.use_session(
            self.caller, SessionAsk("session_close", target, _given(session=session), act)
        )

    # --- policy ------------------------------------------------------------------------------------------------------

    async def policy_check(
        self,
        command: Annotated[OptionalText, Field(max_length=MAX_COMMAND, description="a shell command to judge")] = None,
        path: Annotated[OptionalText, Field(description="or a path")] = None,
        op: Literal["read", "write", "delete", "list"] = "read",
        host: Annotated[OptionalText, Field(description="or a host, host:port")] = None,
        session: SessionName = None,
    ) -> CallToolResult:
        """Ask what the policy would say; nothing runs."""
        target = self._target(session)
        arguments = _given(command=command, path=path, op=op if path else None, host=host)

        async def act(caller: Caller) -> CallToolResult:
            if command is not None:
                ask = RunAsk(
                    "shell",
                    target,
                    (*BASH, command),
                    command,
                    None,
                    b"",
                    300,
                    45,
                    background=False,
                    arguments=arguments,
                )
                return check_result(*await self.gateway.check(caller, ask), self.shape)
            if path is not None:
                tool = {"read": "file_read", "list": "file_list"}.get(op, "file_write")
                file = FileAsk[None](tool, target, op, path, arguments, _never)
                return check_result(*await self.gateway.check_path(caller, file), self.shape)
            if host is not None:
                return plain(self.gateway.sessions.host_verdict(host))
            return plain("Give command, path or host.")

        return await self.gateway.use_session(self.caller, SessionAsk("policy_check", target, arguments, act))


def _given(**arguments: Any) -> dict[str, Any]:
    """What the client sent, as the audit and the policy see it; what was left out is left out."""
    return {name: value for name, value in arguments.items() if value is not None}


async def _silent(job: Job) -> None:
    """A search shows its matches at the end, not as progress."""


async def _never(*_: object) -> None:
    raise AssertionError("a dry run does nothing")


async def _wait_for(job: Job, stream: Literal["stdout", "stderr"], offset: int, wait_s: float) -> None:
    with anyio.move_on_after(wait_s):
        while job.end is None and job.streams[stream].total <= offset:
            await job.news()
