"""Sessions of the caller's own, and the dry run of the policy."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from server.asks import Caller, SessionAsk, Target
from server.front.dry_run import Asked, dry_run
from server.front.front import Front
from server.front.parameters import LONGEST_PATH, MAX_COMMAND, OptionalText, SessionName, given
from server.front.progress import streaming, telling, while_copying
from server.front.results import check_result, plain, shaped
from server.front.showing import show_sessions, show_snapshot
from server.sandbox.sandbox import NoSuchImage
from server.sandbox.snapshot import Snapshot, SnapshotFailed
from server.sandbox.workspaces import only


@dataclass(frozen=True, slots=True)
class SessionTools:
    front: Front

    async def session_open(
        self,
        ctx: Context[Any, Any],
        session: Annotated[
            OptionalText, Field(max_length=64, description="a name of your choice; default: made up")
        ] = None,
        environment: Annotated[OptionalText, Field(max_length=64, description="default: the server's own")] = None,
        workspace: Annotated[
            OptionalText, Field(max_length=LONGEST_PATH, description="one of the folders lent, alone; default: all")
        ] = None,
        snapshot: Annotated[
            OptionalText, Field(max_length=64, description="a snapshot of yours to start from, as often as you like")
        ] = None,
        network: Annotated[
            list[str],
            Field(max_length=64, description="hosts it may reach, of those allowed; default: all"),
        ] = [],  # noqa: B006 - never changed; a default_factory would hide the default from the schema
        ttl_s: Annotated[int, Field(ge=0, description="closed after so many seconds")] = 0,
    ) -> CallToolResult:
        """Open a sandbox of its own. It lives until session_close, across restarts."""
        target = Target(session or "", environment or self._environment(snapshot))
        sessions = self.front.gateway.sessions

        async def act(caller: Caller) -> CallToolResult:
            kept = self.front.snapshots.find(caller.id, snapshot) if snapshot is not None else None
            plain = sessions.offered(target.environment, caller.roles)
            ready = self.front.gateway.environments.ready
            whole = kept.spec(plain) if kept else await ready(plain, streaming(ctx))
            spec = only(whole, workspace) if workspace else whole
            try:
                made = await while_copying(
                    ctx,
                    self.front.copying,
                    lambda: sessions.open(
                        caller.id,
                        session,
                        target.environment,
                        tuple(network),
                        spec=spec,
                        alone=kept is not None,
                        ttl_s=ttl_s or None,
                        roles=caller.roles,
                    ),
                )
            except NoSuchImage as exc:
                raise _gone(kept, exc) from exc
            made.introduce()  # here and now, so the next call need not
            text = f"session {made.name} is open: environment {made.spec.environment}, cwd {made.spec.start_dir}. Pass session={made.name!r}."
            return shaped(
                "\n".join([text, *(f"[{remark}]" for remark in made.take_remarks())]),
                {"session": made.name, "environment": made.spec.environment, "cwd": made.spec.start_dir},
                self.front.shape,
            )

        arguments = given(
            session=session,
            environment=environment,
            workspace=workspace,
            snapshot=snapshot,
            network=network,
            ttl_s=ttl_s,
        )
        return await self.front.gateway.use_session(
            self.front.caller, SessionAsk("session_open", target, arguments, act)
        )

    def _environment(self, snapshot: str | None) -> str:
        """What the question is about where no environment is named: the snapshot's own."""
        kept = self.front.snapshots.of(self.front.caller.id) if snapshot is not None else ()
        return next((found.environment for found in kept if found.name == snapshot), self.front.environment)

    async def session_list(
        self,
        all: Annotated[  # noqa: A002 - the parameter's name for clients
            bool, Field(description="also finished foreground commands; default: only running and background jobs")
        ] = False,
    ) -> CallToolResult:
        """Your sessions, their running and background jobs, and your snapshots."""

        async def act(caller: Caller) -> CallToolResult:
            sessions, snapshots = self.front.gateway.sessions.of(caller.id), self.front.snapshots.of(caller.id)
            return show_sessions(sessions, snapshots, self.front.shape, every_job=all)

        return await self.front.gateway.use_session(
            self.front.caller, SessionAsk("session_list", self.front.target(None), given(all=all or None), act)
        )

    async def session_close(self, session: SessionName = None) -> CallToolResult:
        """Destroy a session: processes and files, not folders lent by the operator."""
        target = self.front.existing(session)

        async def act(caller: Caller) -> CallToolResult:
            await self.front.gateway.sessions.close(caller.id, target.session)
            return plain(f"session {target.session} is closed")

        return await self.front.gateway.use_session(
            self.front.caller, SessionAsk("session_close", target, given(session=session), act)
        )

    async def session_snapshot(
        self,
        name: Annotated[str, Field(description="1 to 64 letters, digits, dots, dashes, _; one of yours is replaced")],
        ctx: Context[Any, Any],
        session: SessionName = None,
    ) -> CallToolResult:
        """Keep a session's files as they are now; session_open(snapshot=name) starts from them. It stands still meanwhile,
        some seconds a gigabyte. Processes and folders lent by the operator are not in it."""
        target = self.front.existing(session)
        snapshots = self.front.snapshots

        async def act(caller: Caller) -> CallToolResult:
            async with self.front.gateway.sessions.still(caller.id, target.session) as found:
                take = partial(snapshots.take, found.sandbox, caller.id, name, found.spec.environment)
                taken = await telling(ctx, "looking at its files", lambda tell: take(tell=tell))
            return show_snapshot(taken, found.name, await snapshots.make_room(caller.id), self.front.shape)

        return await self.front.gateway.use_session(
            self.front.caller, SessionAsk("session_snapshot", target, given(session=session, name=name), act)
        )


def _gone(kept: Snapshot | None, exc: NoSuchImage) -> Exception:
    """In place of what one does about a missing image, which the caller cannot."""
    if kept is None:
        return exc
    return SnapshotFailed(
        f"the files of snapshot {kept.name} are not on the engine: somebody removed them there, or it is another engine. "
        f"Take a new one; a person can delete this one with: sandgate snapshots delete {kept.name}"
    )


@dataclass(frozen=True, slots=True)
class PolicyTools:
    front: Front

    async def policy_check(
        self,
        command: Annotated[OptionalText, Field(max_length=MAX_COMMAND, description="a shell command to judge")] = None,
        path: Annotated[OptionalText, Field(max_length=LONGEST_PATH, description="or a path")] = None,
        op: Literal["read", "write", "delete", "list"] = "read",
        host: Annotated[OptionalText, Field(max_length=300, description="or a host, host:port")] = None,
        session: SessionName = None,
    ) -> CallToolResult:
        """Ask what the policy would say; nothing runs."""
        asked = Asked(command, path, op, host)
        said = await dry_run(self.front.gateway, self.front.caller, self.front.target(session), asked)
        return plain(said) if isinstance(said, str) else check_result(*said, self.front.shape)
