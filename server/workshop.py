"""Where environments are prepared: a session of the operator's own, by the one path that every call takes.

So setup commands are judged, recorded and held to the gate's list like any other, and a refused one names its rule.
"""

import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import anyio

from server.asks import BASH, Caller, FileAsk, RunAsk, SessionAsk, Target
from server.call import Gateway
from server.parts import Progress
from server.sandbox import files
from server.sandbox.grants import OPERATOR as ROLE
from server.sandbox.jobs import Job
from server.sandbox.prepared import OPERATOR
from server.sandbox.sandbox import WORKSPACE, SandboxSpec
from server.sandbox.sessions import NoSuchSession
from server.sandbox.snapshot import Snapshot
from server.sandbox.snapshots import Snapshots

CALLER = Caller(OPERATOR, (ROLE,))
CLOSE_PATIENCE_S = 8.0
TTL_S = 86400.0  # of its session, should nobody live to close it
LATE_S = 30.0  # an end that comes a little after its timeout is still waited for


@dataclass(frozen=True, slots=True)
class Workshop:
    """`gateway` must not prepare environments itself: this is what they are prepared with."""

    gateway: Gateway
    snapshots: Snapshots

    @asynccontextmanager
    async def open(self, spec: SandboxSpec) -> AsyncGenerator["Bench"]:
        """A sandbox of exactly that specification, gone afterwards."""
        target = Target(f"setup-{secrets.token_hex(4)}", spec.environment)

        async def act(caller: Caller) -> None:
            await self.gateway.sessions.open(
                caller.id,
                target.session,
                target.environment,
                (),
                spec=spec,
                alone=True,
                ttl_s=TTL_S,
                roles=caller.roles,
            )

        arguments = {"session": target.session, "environment": target.environment}
        await self.gateway.use_session(CALLER, SessionAsk("session_open", target, arguments, act))
        try:
            yield Bench(self.gateway, self.snapshots, target)
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(CLOSE_PATIENCE_S), suppress(NoSuchSession):
                await self.gateway.sessions.close(CALLER.id, target.session)


@dataclass(frozen=True, slots=True)
class Bench:
    gateway: Gateway
    snapshots: Snapshots
    target: Target

    async def put(self, name: str, content: bytes) -> None:
        """A file of that name in the workspace, folders made as needed."""
        path = f"{WORKSPACE}/{name}"
        ask = FileAsk(
            "file_write",
            self.target,
            "write",
            path,
            {"path": path, "bytes": len(content)},
            lambda used, permit, found: files.write(used.sandbox, permit, found, content, "overwrite"),
        )
        await self.gateway.use_file(CALLER, ask)

    async def run(self, command: str, timeout_s: float, progress: Progress) -> Job:
        """To its end, which the timeout brings about at the latest."""
        ask = RunAsk(
            tool="shell",
            target=self.target,
            argv=(*BASH, command),
            script=command,
            cwd=WORKSPACE,
            stdin=b"",
            timeout_s=timeout_s,
            wait_s=timeout_s + LATE_S,
            background=False,
            arguments={"command": command, "timeout_s": timeout_s},
        )
        return (await self.gateway.run(CALLER, ask, progress)).job

    async def keep(self, name: str) -> Snapshot:
        async def act(caller: Caller) -> Snapshot:
            async with self.gateway.sessions.still(caller.id, self.target.session) as session:
                return await self.snapshots.take(session.sandbox, caller.id, name, self.target.environment, "prepared")

        return await self.gateway.use_session(
            CALLER, SessionAsk("session_snapshot", self.target, {"session": self.target.session, "name": name}, act)
        )
