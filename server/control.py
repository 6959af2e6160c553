"""The operator's door to a running server: `sandgate diff`, `apply`, `cp` and `sessions` ask here for what lies in its sessions.

A unix socket for this user alone, told from others by who connects. That is the simplest channel that is safe: the server
owns the session and wakes it where it sleeps, every use goes down the one path (recorded, judged, by an opened handle),
and nothing reads a hostile tree with more rights than its own commands have. The engine's archive calls would read it as
root, and could not tell a session from the next.
"""

import io
import json
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Final

import anyio
import anyio.abc
import anyio.to_thread

from policy.question import Op
from policy.verdict import Denied, Permit
from server.asks import Caller, FileAsk, Target
from server.call import Gateway
from server.judge.limits import TooMany
from server.page_door import NoPage, PageDoor
from server.record.audit import AuditFailed
from server.sandbox.changes import Changes, changes, contents
from server.sandbox.copies import Copies
from server.sandbox.frames import BYTES, JSON, PIECE, BadFrame, address, is_ours, message, piece, taken
from server.sandbox.grants import NotGranted
from server.sandbox.manifest import NotOurs, Sent
from server.sandbox.room import Full
from server.sandbox.sandbox import FileRefused, Found, Sandbox, SandboxFailed, SandboxLost
from server.sandbox.session import Session
from server.sandbox.sessions import NoSuchSession
from server.sandbox.telling import BadReading, is_below, records

MOST_AT_ONCE: Final = 8  # connections; a person has one or two
LOOK_AGAIN_S: Final = 0.1
PATIENCE_S: Final = 60.0  # for a question, or for a file, to arrive
log = logging.getLogger("sandgate")
_ANSWERS: Final = (
    AuditFailed,
    BadFrame,
    BadReading,
    FileRefused,
    Full,
    NoSuchSession,
    NotGranted,
    NotOurs,
    SandboxFailed,
    TooMany,
)
_WHO: Final = "the operator, at the command line"


class NoCopy(Exception):
    """A session has no copied folder, or not that one."""


@dataclass(frozen=True, slots=True)
class Control:
    """Answers this user, and root."""

    gateway: Gateway
    copies: Copies
    folder: Path
    page: PageDoor

    async def serve(self) -> None:
        """Until cancelled."""
        with _listen(self.folder) as listener:
            async with anyio.create_task_group() as tasks:
                room = anyio.CapacityLimiter(MOST_AT_ONCE)
                while True:
                    await anyio.wait_readable(listener)
                    try:
                        tasks.start_soon(self._meet, listener.accept()[0], room)
                    except OSError:  # whoever it was has gone again, or there is no descriptor left for them
                        await anyio.sleep(LOOK_AGAIN_S)

    async def _meet(self, sock: socket.socket, room: anyio.CapacityLimiter) -> None:
        with sock, suppress(OSError, anyio.ClosedResourceError):
            if is_ours(sock):
                async with room:
                    await self._say_how_it_went(_Line(sock))

    async def _say_how_it_went(self, line: "_Line") -> None:
        try:
            await self._answer(line)
        except Denied as exc:
            rules = "; ".join(f"{rule.reason} [{rule.id}]" for rule in exc.verdict.rules)
            await line.say({"error": f"the policy says no: {rules} (decision {exc.decision_id})"})
        except SandboxLost as exc:
            await line.say({"error": f"the session's sandbox was lost: {exc}"})
        except (*_ANSWERS, NoCopy, NoPage) as exc:
            await line.say({"error": str(exc)})
        except (OSError, anyio.ClosedResourceError):
            raise
        except Exception:  # a question of a person's does not end a server, whatever is wrong with either
            log.exception("a question at the operator's socket could not be answered")
            await line.say({"error": "the server failed to answer; its log says why"})

    async def _answer(self, line: "_Line") -> None:
        with anyio.fail_after(PATIENCE_S):
            asked = await line.hear()
        match asked:
            case {"do": "sessions"}:
                await line.say({"done": [_shown(session) for session in self.gateway.sessions.every()]})
            case {"do": "page"}:
                await line.say({"done": await self.page.link()})
            case {"do": "close", "owner": str(owner), "session": str(name)}:
                await self.gateway.sessions.close(owner, name, "closed_by_operator")
                await line.say({"done": name})
            case {"do": "changes", "owner": str(owner), "session": str(name)}:
                await self._changes(line, self._session(owner, name))
            case {
                "do": "contents",
                "owner": str(owner),
                "session": str(name),
                "folder": str(folder),
                "paths": list(paths),
            }:
                await self._contents(line, self._session(owner, name), folder, [str(path) for path in paths])
            case {"do": "read", "owner": str(owner), "session": str(name), "path": str(path)}:
                await self._read(line, self._session(owner, name), path)
            case {"do": "write", "owner": str(owner), "session": str(name), "path": str(path), "size": int(size)}:
                await self._write(line, self._session(owner, name), path, size, asked.get("executable") is True)
            case _:
                raise BadFrame("this server does not know what was asked; it may be of another version")

    def _session(self, owner: str, name: str) -> Session:
        return self.gateway.sessions.find(owner, name)

    # --- what is asked -----------------------------------------------------------------------------------------------

    async def _changes(self, line: "_Line", session: Session) -> None:
        folders = [copy.target for copy in session.spec.copies if not copy.whole]
        if not folders:
            raise NoCopy(f"nothing was copied into session {session.name}: its folders are mounted, or it has none")
        for folder in folders:
            found = await self._looking(session, folder, "diff", changes)
            await line.say({"changes": await anyio.to_thread.run_sync(_told, found)})
        await line.say({"done": len(folders)})

    async def _contents(self, line: "_Line", session: Session, folder: str, paths: list[str]) -> None:
        """Each file as a message and its bytes."""
        if not all(map(is_below, paths)):
            raise BadFrame("a path was asked for that is none below the folder")

        async def fetch(sandbox: Sandbox, granted: Permit, _: Sent) -> IO[bytes]:
            return await contents(sandbox, granted, folder, paths, session.spec.disk_bytes)

        with await self._looking(session, folder, "apply", fetch) as file:
            for record in records(file, with_files=True):
                if record.kind == b"f":
                    await line.say({"file": record.path, "size": record.size})
                    file.seek(record.at)
                    await line.give(file.read, record.size)
        await line.say({"done": len(paths)})

    async def _looking[R](
        self, session: Session, folder: str, why: str, work: Callable[[Sandbox, Permit, Sent], Awaitable[R]]
    ) -> R:
        """A look at a copied folder as the path has it: recorded, judged, its handle compared."""

        async def act(awake: Session, granted: Permit, found: Found) -> R:
            sent = next((one for one in await self.copies.sent(awake.sandbox) if one.target == folder), None)
            if sent is None:
                raise NoCopy(f"{folder} was not copied into session {awake.name}")
            if found.real != folder or found.kind != "directory":
                raise BadReading(f"{folder} is not the folder any more that was copied into the session")
            return await work(awake.sandbox, granted, sent)

        return await self._use(session, "file_list", "list", folder, why, act)

    async def _read(self, line: "_Line", session: Session, path: str) -> None:
        """Piece by piece from the one handle that was judged. No file is larger than its disk, but for its holes."""

        async def act(awake: Session, granted: Permit, found: Found) -> int:
            if found.kind == "directory":
                raise FileRefused("it is a directory; pack it in the session first, such as tar czf /tmp/d.tgz DIR")
            offset, size, most = 0, 1, session.spec.disk_bytes
            while offset < size:
                content = await awake.sandbox.read(granted, found, PIECE, offset=offset, keep=True)
                if not offset:
                    size = content.size
                    if size > most:
                        raise FileRefused(
                            f"it has {size} bytes, and a session's disk {most}: nearly all of it is holes"
                        )
                    await line.say({"size": size, "executable": found.executable})
                data = content.data[: size - offset]
                if size and not data:
                    raise FileRefused("it was cut short while it was copied")
                with anyio.fail_after(PATIENCE_S):
                    await line.give(io.BytesIO(data).read, len(data))
                offset += len(data)
            return size

        await line.say({"done": await self._use(session, "file_read", "read", path, "cp", act)})

    async def _write(self, line: "_Line", session: Session, path: str, size: int, executable: bool) -> None:  # noqa: FBT001 - of a message
        """Piece by piece to beside the judged file, and then over it: nobody sees half of it."""
        if not 0 <= size <= session.spec.disk_bytes:
            raise FileRefused(f"it has {size} bytes, and a session's disk {session.spec.disk_bytes}")

        async def act(awake: Session, granted: Permit, found: Found) -> str:
            left = size
            try:
                while left > PIECE:
                    await awake.sandbox.add(granted, found, await line.take(PIECE))
                    left -= PIECE
                await awake.sandbox.write(granted, found, await line.take(left), "overwrite", executable=executable)
            except BaseException:
                with anyio.move_on_after(PATIENCE_S, shield=True), suppress(SandboxLost):
                    await awake.sandbox.drop(found)
                raise
            return found.real

        await line.say({"done": await self._use(session, "file_write", "write", path, "cp", act)})

    async def _use[R](
        self,
        session: Session,
        tool: str,
        op: Op,
        path: str,
        why: str,
        act: Callable[[Session, Permit, Found], Awaitable[R]],
    ) -> R:
        arguments = {"path": path, "for": f"sandgate {why}", "by": _WHO}
        ask = FileAsk[R](tool, Target(session.name, session.spec.environment), op, path, arguments, act)
        return await self.gateway.use_file(Caller(session.owner, session.roles), ask)


# --- the line ----------------------------------------------------------------------------------------------------------


class _Line:
    """One connection of the command line's."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock, self._waiting, self._frames = sock, bytearray(), list[tuple[int, bytes]]()
        self._bytes = bytearray()

    async def hear(self) -> Any:
        kind, body = await self._next()
        if kind != JSON:
            raise BadFrame("that is no question")
        try:
            return json.loads(body)
        except ValueError as exc:
            raise BadFrame("that is no question") from exc

    async def take(self, size: int) -> bytes:
        """So many bytes, each piece in time."""
        while len(self._bytes) < size:
            with anyio.fail_after(PATIENCE_S):
                kind, body = await self._next()
            self._bytes += body if kind == BYTES else b""
        data = bytes(self._bytes[:size])
        del self._bytes[:size]
        return data

    async def _next(self) -> tuple[int, bytes]:
        while not self._frames:
            await anyio.wait_readable(self._sock)
            data = self._sock.recv(PIECE)
            if not data:
                raise ConnectionResetError
            self._waiting += data
            self._frames += taken(self._waiting)
        return self._frames.pop(0)

    async def say(self, value: dict[str, Any]) -> None:
        await self._send(message(value))

    async def give(self, read: Callable[[int], bytes], size: int) -> None:
        while size:
            data = read(min(PIECE, size))
            size -= len(data)
            await self._send(piece(data))

    async def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[self._sock.send(view) :]
            except BlockingIOError:
                await anyio.wait_writable(self._sock)


def _listen(folder: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address(folder))
    listener.listen(MOST_AT_ONCE)
    listener.setblocking(False)
    return listener


def _shown(session: Session) -> dict[str, Any]:
    return {
        "session": session.name,
        "owner": session.owner,
        "id": session.id,
        "environment": session.spec.environment,
        "start": session.spec.start_dir,
        "home": session.spec.home,
        "state": session.state,
        "used": session.used,
        "jobs": [job.name for job in session.jobs.values() if job.end is None],
    }


def _told(found: Changes) -> dict[str, Any]:
    return {
        "source": found.sent.source,
        "target": found.sent.target,
        "changes": [asdict(change) for change in found.changes],
        "repositories": list(found.repositories),
        "ignored": list(found.ignored),
        "unread": dict(found.unread),
    }
