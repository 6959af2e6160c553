"""Sessions of the caller's own, and the dry run of the policy."""

from dataclasses import dataclass
from typing import Annotated, Literal

from mcp.types import CallToolResult
from pydantic import Field

from server.call import Caller, FileAsk, RunAsk, SessionAsk, Target
from server.front.front import Front
from server.front.parameters import BASH, MAX_COMMAND, OptionalText, SessionName, given
from server.front.results import check_result, plain, shaped
from server.front.showing import show_sessions


@dataclass(frozen=True, slots=True)
class SessionTools:
    front: Front

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
        target = Target(session or "", environment or self.front.environment)

        async def act(caller: Caller) -> CallToolResult:
            made = await self.front.gateway.sessions.open(caller.id, session, target.environment, tuple(network))
            text = f"session {made.name} is open: environment {made.spec.environment}, cwd {made.spec.start_dir}. Pass session={made.name!r}."
            return shaped(
                text,
                {"session": made.name, "environment": made.spec.environment, "cwd": made.spec.start_dir},
                self.front.shape,
            )

        arguments = given(session=session, environment=environment, network=network)
        return await self.front.gateway.use_session(
            self.front.caller, SessionAsk("session_open", target, arguments, act)
        )

    async def session_list(self) -> CallToolResult:
        """Your sessions and their jobs."""

        async def act(caller: Caller) -> CallToolResult:
            return show_sessions(self.front.gateway.sessions.of(caller.id), self.front.shape)

        return await self.front.gateway.use_session(
            self.front.caller, SessionAsk("session_list", self.front.target(None), {}, act)
        )

    async def session_close(self, session: SessionName = None) -> CallToolResult:
        """Destroy a session: its processes and its files, but not folders lent by the operator."""
        target = self.front.target(session)

        async def act(caller: Caller) -> CallToolResult:
            await self.front.gateway.sessions.close(caller.id, target.session)
            return plain(f"session {target.session} is closed")

        return await self.front.gateway.use_session(
            self.front.caller, SessionAsk("session_close", target, given(session=session), act)
        )


@dataclass(frozen=True, slots=True)
class PolicyTools:
    front: Front

    async def policy_check(
        self,
        command: Annotated[OptionalText, Field(max_length=MAX_COMMAND, description="a shell command to judge")] = None,
        path: Annotated[OptionalText, Field(description="or a path")] = None,
        op: Literal["read", "write", "delete", "list"] = "read",
        host: Annotated[OptionalText, Field(description="or a host, host:port")] = None,
        session: SessionName = None,
    ) -> CallToolResult:
        """Ask what the policy would say; nothing runs."""
        target = self.front.target(session)
        arguments = given(command=command, path=path, op=op if path else None, host=host)

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
                return check_result(*await self.front.gateway.check(caller, ask), self.front.shape)
            if path is not None:
                tool = {"read": "file_read", "list": "file_list"}.get(op, "file_write")
                file = FileAsk[None](tool, target, op, path, arguments, _never)
                return check_result(*await self.front.gateway.check_path(caller, file), self.front.shape)
            if host is not None:
                return plain(self.front.gateway.sessions.host_verdict(host))
            return plain("Give command, path or host.")

        return await self.front.gateway.use_session(
            self.front.caller, SessionAsk("policy_check", target, arguments, act)
        )


async def _never(*_: object) -> None:
    raise AssertionError("a dry run does nothing")
