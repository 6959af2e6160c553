"""One live container as a sandbox: what is asked of it goes over the line to its agent."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from errno import ENOSPC
from pathlib import Path
from typing import Any, Protocol

import anyio

from policy.held import HeldFile
from policy.question import RunCommand
from policy.verdict import Permit
from server.sandbox.agent_link import AgentLink
from server.sandbox.sandbox import (
    MIB,
    Content,
    Entry,
    FileRefused,
    Found,
    Listing,
    Output,
    Running,
    SandboxLost,
    SandboxSpec,
    Stored,
    WriteMode,
)

CLOSE_PATIENCE_S = 10.0
LOOK_PATIENCE_S = 300.0
TRUNCATE_ABI, SCOPE_ABI = 3, 6
SHELLS = ("/bin/bash", "/bin/sh")


class Destroys(Protocol):
    """The engine as a sandbox sees it: whoever ends it."""

    directory: Path

    async def destroy(self, identity: str, link: AgentLink | None) -> None: ...

    async def put(self, identity: str, archive: Iterator[bytes]) -> None: ...

    async def disk_is_full(self, identity: str) -> bool: ...


class DockerCommand:
    """A command that runs in a DockerSandbox."""

    def __init__(self, link: AgentLink, job: int) -> None:
        self._link, self._job = link, job

    async def send(self, data: bytes, *, close: bool) -> None:
        await self._link.ask({"op": "input", "job": self._job, "close": close}, data)

    async def stop(self, signal: int, reason: str, grace_s: float) -> None:
        message = {"op": "stop", "job": self._job, "signal": signal, "reason": reason, "grace_s": grace_s}
        await self._link.say(message)


class DockerSandbox:
    """A live container and the line to its agent."""

    def __init__(
        self, engine: Destroys, spec: SandboxSpec, identity: str, link: AgentLink, env: dict[str, str], key: str
    ) -> None:
        """`key`: what its agent shows to whoever adopts it."""
        self._engine, self.spec, self._link, self._env = engine, spec, link, env
        self.id, self.key = identity, key
        self.directory = engine.directory / identity

    @property
    def alive(self) -> bool:
        return not self._link.lost

    @property
    def frozen(self) -> bool:
        return self._link.frozen

    @frozen.setter
    def frozen(self, frozen: bool) -> None:
        self._link.frozen = frozen

    @property
    def shell(self) -> str:
        """What the image has to run a script with; empty where it has nothing."""
        return shell_of(self._link.hello)

    @property
    def landlock_abi(self) -> int:
        return int(self._link.hello["landlock"])

    async def run(self, permit: Permit, output: Output, mark: str = "") -> Running:
        """Start exactly what was permitted. Raises SandboxLost when the container is gone."""
        act, allow = permit.question.act, permit.allow
        if not isinstance(act, RunCommand):
            raise TypeError("this permit is not for a command")
        asked = None if act.background else act.timeout_s
        limits = [limit for limit in (asked, allow.limits.timeout_s) if limit is not None]
        number = await self._link.run(
            {
                "argv": list(act.argv),
                "cwd": act.cwd,
                "env": self._env,
                "mark": mark,
                "timeout_s": min(limits, default=None),
                "stdin_stays": act.background and not act.stdin,
                "access": {
                    "read": list(allow.access.read),
                    "write": list(allow.access.write),
                    "execute": list(allow.access.execute),
                },
            },
            output,
            act.stdin,
        )
        return DockerCommand(self._link, number)

    async def resolve(self, path: str) -> Found:
        said, _ = await self._link.ask({"op": "file", "do": "resolve", "path": path})
        with _believing():
            real = said["real"]
            if not isinstance(real, str) or not real.startswith("/"):
                raise ValueError(real)
            if not _is_text(real):
                raise FileRefused(
                    "its name, or that of what it links to, is not UTF-8, which no tool can spell; use a glob in shell"
                )
            kind, size = str(said.get("type", "")), _count(said.get("size", 0))
            inode = (_count(said.get("dev", 0)), _count(said.get("ino", 0)))
            executable = said.get("executable") is True
            return Found(_count(said["handle"]), real, said["exists"] is True, kind, size, inode, executable)

    async def read(self, permit: Permit, found: Found, limit: int, *, offset: int = 0, keep: bool = False) -> Content:
        """`limit` bytes of the file from `offset`; `keep` leaves the handle for reading on, or for an edit's write."""
        _judged(permit, found)
        request = {"op": "file", "do": "read", "handle": found.handle, "offset": offset, "limit": limit, "keep": keep}
        said, content = await self._link.ask(request)
        with _believing():
            return Content(content[:limit], _count(said["size"]))

    async def add(self, permit: Permit, found: Found, content: bytes) -> None:
        """A part of what `write` then brings the last of. Raises FileRefused."""
        _judged(permit, found)
        await self._require_room()
        await self._link.ask({"op": "file", "do": "add", "handle": found.handle}, content)

    async def drop(self, found: Found) -> None:
        with suppress(FileRefused):  # it is gone already
            await self._link.ask({"op": "file", "do": "drop", "handle": found.handle})

    async def _require_room(self) -> None:
        if await self._engine.disk_is_full(self.id):
            raise FileRefused(
                f"the sandbox's disk is full ({self.spec.disk_bytes // MIB} MB); delete something", ENOSPC
            )

    async def write(
        self,
        permit: Permit,
        found: Found,
        content: bytes,
        mode: WriteMode,
        *,
        unchanged: bool = False,
        executable: bool = False,
    ) -> Stored:
        """Put content there. Raises FileRefused; with `unchanged` also where it is not what this handle read."""
        _judged(permit, found)
        await self._require_room()
        how = {"mode": mode, "unchanged": unchanged, "executable": executable}
        said, _ = await self._link.ask({"op": "file", "do": "write", "handle": found.handle, **how}, content)
        with _believing():
            return Stored(_count(said["size"]), said["created"] is True, _count(said["names"]))

    async def entries(self, permit: Permit, found: Found, limit: int) -> Listing:
        _judged(permit, found)
        said, _ = await self._link.ask({"op": "file", "do": "list", "handle": found.handle, "limit": limit})
        with _believing():
            entries = [Entry(str(e["name"]), str(e["type"]), _count(e["size"])) for e in said["entries"]]
            return Listing(tuple(entries[:limit]), _count(said["total"]), said["whole"] is True)

    async def search(self, permit: Permit, found: Found, request: Mapping[str, Any]) -> bytes:
        """What the agent's child says it found below the handle, within the permit's access; untrusted."""
        _judged(permit, found)
        allowed = permit.allow.access
        access = {"read": [*allowed.read, "/dev/null"], "write": ["/dev/null"], "execute": list(allowed.execute)}
        message = {"op": "file", "do": "search", "handle": found.handle, "access": access, **request}
        return (await self._link.ask(message))[1]

    async def digests(self, paths: Sequence[str], folders: Sequence[str], most_bytes: int) -> tuple[HeldFile, ...]:
        asked = {*paths, *(f"{folder}/" for folder in folders)}
        request = {"op": "file", "do": "digest", "paths": list(paths), "folders": list(folders), "most": most_bytes}
        said, _ = await self._link.ask(request)
        with _believing():
            found = [
                (str(each["path"]), _count(each["size"]), _count(each["hashed"]), str(each["sha256"]))
                for each in said["files"]
            ]
            return tuple(HeldFile(*each) for each in found if each[0] in asked)

    async def put(self, archive: Iterator[bytes]) -> None:
        await self._engine.put(self.id, archive)

    async def look(self, permit: Permit, verb: str, folder: str, told: bytes, output: Output) -> Running:
        """Held to reading by the kernel, whatever the permit allows to commands."""
        if folder not in {use.resolved for use in permit.question.paths}:
            raise SandboxLost("the folder in use is not the folder that was judged")
        number = await self._link.run(
            {
                "argv": [verb, folder],
                "ours": True,
                "cwd": "/",
                "env": {},
                "timeout_s": LOOK_PATIENCE_S,
                "stdin_stays": False,
                "access": {"read": [folder], "write": [], "execute": []},
            },
            output,
            told,
        )
        return DockerCommand(self._link, number)

    async def ours(self, path: str, limit: int) -> bytes | None:
        found = await self.resolve(path)
        if not found.exists:
            return None
        request = {"op": "file", "do": "read", "handle": found.handle, "offset": 0, "limit": limit, "keep": False}
        return (await self._link.ask(request))[1]

    async def ping(self) -> None:
        await self._link.ask({"op": "ping"})

    async def close(self) -> None:
        """End the container; bounded, and shielded so that a cancelled caller leaves nothing behind."""
        with anyio.CancelScope(shield=True), anyio.move_on_after(CLOSE_PATIENCE_S):
            await self._engine.destroy(self.id, self._link)

    def __repr__(self) -> str:
        return f"<sandbox {self.id} {self.spec.environment} {'alive' if self.alive else 'gone'}>"


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def not_held(landlock_abi: int) -> Iterator[str]:
    """What a Landlock of that version leaves open, a sentence each; 0 is none."""
    if not landlock_abi:
        yield "The kernel has no usable Landlock: path rules hold for tools and parsed commands, not in scripts."
        return
    if landlock_abi < TRUNCATE_ABI:
        yield f"Landlock ABI {landlock_abi}: scripts can empty files that they may not write."
    if landlock_abi < SCOPE_ABI:
        yield f"Landlock ABI {landlock_abi}: signals and abstract sockets are not kept within a command."


def shell_of(hello: Mapping[str, Any]) -> str:
    """The shell that an agent says its image has: one of those we know, whatever it says."""
    said = hello.get("shell")
    return next((shell for shell in SHELLS if shell == said), "")


def _count(value: object) -> int:
    """A number as a kernel counts: of bytes, files or devices."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 64:
        raise TypeError("no count")
    return value


@contextmanager
def _believing() -> Iterator[None]:
    """What an agent answers is taken apart in here: one that makes no sense is as good as lost."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as exc:
        raise SandboxLost("the agent's answer made no sense") from exc


def _judged(permit: Permit, found: Found) -> None:
    """The handle in use must be the path that was judged: promise 4."""
    if found.real not in {use.resolved for use in permit.question.paths}:
        raise SandboxLost("the path in use is not the path that was judged")
