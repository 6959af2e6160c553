"""shell and exec, and the jobs that long commands become."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import anyio
from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from server.asks import BASH, Caller, RunAsk, SessionAsk
from server.front.consent import following
from server.front.front import Front
from server.front.parameters import (
    MAX_COMMAND,
    MAX_INPUT,
    MAX_WAIT_S,
    Background,
    Chars,
    Folder,
    OptionalText,
    SessionName,
    Timeout,
    Wait,
    given,
)
from server.front.progress import streaming, while_copying
from server.front.results import RunResult, plain, run_result
from server.front.showing import show_job, show_stopped
from server.sandbox.jobs import Job

SIGNALS = {"TERM": 15, "INT": 2, "KILL": 9, "HUP": 1}


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
        return given(
            session=self.session, cwd=self.cwd, stdin=self.stdin, timeout_s=self.timeout_s, background=self.background
        )


@dataclass(frozen=True, slots=True)
class CommandTools:
    front: Front

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
            target=self.front.target(how.session),
            argv=argv,
            script=script,
            cwd=how.cwd,
            stdin=(how.stdin or "").encode("utf-8", "surrogateescape"),
            timeout_s=how.timeout_s,
            wait_s=0 if how.background else how.wait_s,
            background=how.background,
            arguments=what | how.given(),
        )
        gateway, progress = self.front.gateway, streaming(ctx)
        if self.front.person_at_client:
            progress = following(ctx, gateway.people, progress)
        ran = await while_copying(ctx, self.front.copying, lambda: gateway.run(self.front.caller, ask, progress))
        return run_result(ran, max_chars, self.front.shape)


@dataclass(frozen=True, slots=True)
class JobTools:
    front: Front

    async def job_output(
        self,
        job: Annotated[OptionalText, Field(max_length=32, description="job name; default: the newest")] = None,
        session: SessionName = None,
        stream: Literal["stdout", "stderr"] = "stdout",
        offset: Annotated[int, Field(ge=0, description="byte to start at")] = 0,
        limit: Annotated[int, Field(ge=1, le=1_000_000, description="bytes at most")] = 20_000,
        wait_s: Annotated[float, Field(ge=0, le=MAX_WAIT_S, description="wait for output past offset, or the end")] = 0,
        encoding: Literal["text", "base64"] = "text",
    ) -> CallToolResult:
        """Read a job's output from any byte offset; the answer names the next offset. Output is kept while the session
        lives, beginning and end for certain."""
        target = self.front.existing(session)

        async def act(caller: Caller) -> CallToolResult:
            found = self.front.gateway.sessions.find(caller.id, target.session).job(job)
            await _wait_for(found, stream, offset, wait_s)
            return show_job(found, stream, found.streams[stream].read(offset, limit), encoding)

        arguments = given(job=job, session=session, stream=stream, offset=offset, limit=limit)
        return await self.front.gateway.use_session(self.front.caller, SessionAsk("job_output", target, arguments, act))

    async def job_input(
        self,
        job: Annotated[str, Field(max_length=32, description="job name")],
        text: Annotated[str, Field(max_length=MAX_INPUT, description="sent as it is, no newline is added")] = "",
        session: SessionName = None,
        close: Annotated[bool, Field(description="end of input after this")] = False,
    ) -> CallToolResult:
        """Write to a running job's standard input. Open for commands started with background=true and without stdin."""
        target = self.front.existing(session)
        data = text.encode("utf-8", "surrogateescape")

        async def act(caller: Caller) -> CallToolResult:
            found = self.front.gateway.sessions.find(caller.id, target.session).job(job)
            await found.send(data, close=close)
            said = f"sent {len(data)} bytes to job {found.name}"
            return plain(f"{said} and closed its standard input" if close else said)

        arguments = given(job=job, session=session, text=text, close=close)
        return await self.front.gateway.use_session(self.front.caller, SessionAsk("job_input", target, arguments, act))

    async def job_stop(
        self,
        job: Annotated[OptionalText, Field(max_length=32, description="job name; default: the newest")] = None,
        session: SessionName = None,
        signal: Literal["TERM", "INT", "KILL", "HUP"] = "TERM",
    ) -> CallToolResult:
        """End a job and every process it started, daemons too; KILL follows after 2 s."""
        target = self.front.existing(session)

        async def act(caller: Caller) -> CallToolResult:
            found = self.front.gateway.sessions.find(caller.id, target.session).job(job)
            await found.stop(SIGNALS[signal], "job_stop")
            return plain(show_stopped(found))

        arguments = given(job=job, session=session, signal=signal)
        return await self.front.gateway.use_session(self.front.caller, SessionAsk("job_stop", target, arguments, act))


async def _wait_for(job: Job, stream: Literal["stdout", "stderr"], offset: int, wait_s: float) -> None:
    with anyio.move_on_after(wait_s):
        while job.end is None and job.streams[stream].total <= offset:
            await job.news()
