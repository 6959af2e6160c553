"""In-memory stand-ins for the edges of the path: audit, limits, reader, judge, and a sandbox with files."""

import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import anyio

from policy.command import Reading, SimpleCommand
from policy.held import HeldFile
from policy.question import Question
from policy.verdict import Permit, Verdict
from server.parts import Record
from server.record.snapshot_rows import SnapshotRows
from server.record.store import Store
from server.sandbox.allow_list import AllowList
from server.sandbox.egress_link import AllowEntry
from server.sandbox.ledger import Ledger
from server.sandbox.resting import Resting
from server.sandbox.sandbox import (
    Content,
    Entry,
    Exit,
    FileRefused,
    Found,
    Listing,
    Output,
    Running,
    SandboxFailed,
    SandboxLost,
    SandboxSpec,
    Stored,
    WriteMode,
)
from server.sandbox.snapshot import Committed, Kind, NoSuchSnapshot, Snapshot, SnapshotFailed, Tell
from server.sandbox.snapshots import Retention, Snapshots

SPEC = SandboxSpec(image="sandgate/base", environment="base")
DONE = Exit("exited", exit_code=0, duration_ms=1)


@dataclass
class FakeRecord:
    decision_id: str = "d-test"
    lines: list[str] = field(default_factory=list[str])

    def decided(self, question: Question, verdict: Verdict) -> None:
        self.lines.append(f"{type(verdict).__name__.lower()} {question.tool}")

    def ended(self, **outcome: Any) -> None:
        self.lines.append(f"ended {outcome['outcome']}")

    def write(self, kind: str, fields: Mapping[str, Any]) -> None:
        self.lines.append(f"{kind} {fields.get('status', '')}")


@dataclass
class FakeAudit:
    record: FakeRecord = field(default_factory=FakeRecord)

    @asynccontextmanager
    async def call(
        self, caller: str, tool: str, session: str, arguments: Mapping[str, Any], *, reads_state: bool
    ) -> AsyncGenerator[Record]:
        self.record.lines.append(f"started {caller} {tool}")
        try:
            yield self.record
        except BaseException as exc:
            self.record.lines.append(f"stopped {type(exc).__name__}")
            raise


class NoLimits:
    @asynccontextmanager
    async def admit(self, caller: str, tool: str) -> AsyncGenerator[None]:
        yield


class PlainReader:
    """Reads a script as one command of its words."""

    async def read_script(self, text: str, cwd: str, home: str, workspaces: tuple[str, ...]) -> Reading:
        return await self.read_argv(tuple(text.split()), cwd, home, workspaces)

    async def read_argv(self, argv: tuple[str, ...], cwd: str, home: str, workspaces: tuple[str, ...]) -> Reading:
        return Reading((SimpleCommand(argv, argv[0], "bare", cwd=cwd),))


@dataclass
class FixedJudge:
    """Answers with one verdict, or with what `by_path` says of a path."""

    verdict: Verdict
    by_path: dict[str, Verdict] = field(default_factory=dict)
    asked: list[Question] = field(default_factory=list)

    async def decide(self, question: Question) -> Verdict:
        self.asked.append(question)
        return next(
            (self.by_path[use.resolved] for use in question.paths if use.resolved in self.by_path), self.verdict
        )

    async def decide_request(self, question: Question) -> Verdict:
        return await self.decide(question)


def ledger(
    folder: Path,
    server: str = "one",
    alive: Callable[[str], bool] = lambda _: True,
    ends: Callable[[str], bool] = lambda _: False,
) -> Ledger:
    """Of a real database in that folder."""
    return Ledger(Store(folder / "sandgate.db"), server, "scope", alive, ends)


@dataclass
class FakeCommand:
    output: Output
    stopped: list[str] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    refuses: int = 0  # the errno with which input is not taken
    over: bool = False  # its leader has ended already, so a stop only reaches what that left behind

    async def send(self, data: bytes, *, close: bool) -> None:
        if self.refuses:
            raise FileRefused("refused", self.refuses)
        self.sent.append(data)

    async def stop(self, signal: int, reason: str, grace_s: float) -> None:
        self.stopped.append(reason)
        if self.over:
            return
        self.output.ended(Exit("cancelled" if reason == "cancelled" else "killed", signal=signal))


@dataclass
class FakeSandbox:
    """Says `says` and ends with `end`; end None runs until it is stopped. `links` are symbolic ones."""

    id: str = "box"
    spec: SandboxSpec = SPEC
    key: str = "k"
    says: bytes = b"hi\n"
    end: Exit | None = DONE
    files: dict[str, bytes] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    ran: list[Permit] = field(default_factory=list)
    commands: list[FakeCommand] = field(default_factory=list)
    archives: list[bytes] = field(default_factory=list)
    looks: list[tuple[str, str, bytes]] = field(default_factory=list)
    tells: dict[str, bytes] = field(default_factory=dict)
    beside: bytearray = field(default_factory=bytearray)
    added: list[bytes] = field(default_factory=list)
    dropped: int = 0
    programs: set[str] = field(default_factory=set)
    alive: bool = True
    frozen: bool = False
    closed: bool = False
    shell: str = "/bin/bash"

    async def run(self, permit: Permit, output: Output, mark: str = "") -> Running:
        self.ran.append(permit)
        command = FakeCommand(output)
        self.commands.append(command)
        output.write(1, self.says)
        if self.end is not None:
            output.ended(self.end)
        return command

    async def resolve(self, path: str) -> Found:
        real = self.links.get(path, path)
        return Found(
            1, real, real in self.files, "file", len(self.files.get(real, b"")), executable=real in self.programs
        )

    async def read(self, permit: Permit, found: Found, limit: int, *, offset: int = 0, keep: bool = False) -> Content:
        if found.real not in self.files:
            raise FileRefused("No such file or directory", 2)
        data = self.files[found.real]
        return Content(data[offset : offset + limit], len(data))

    async def add(self, permit: Permit, found: Found, content: bytes) -> None:
        self.beside += content
        self.added.append(content)

    async def drop(self, found: Found) -> None:
        self.beside.clear()
        self.dropped += 1

    async def write(self, permit: Permit, found: Found, content: bytes, mode: WriteMode, **how: bool) -> Stored:
        created = found.real not in self.files
        before = self.files.get(found.real, b"") if mode == "append" else bytes(self.beside)
        self.files[found.real] = before + content
        self.programs |= {found.real} if how.get("executable") else set()
        self.beside.clear()
        return Stored(len(self.files[found.real]), created)

    async def entries(self, permit: Permit, found: Found, limit: int) -> Listing:
        names = sorted(name.removeprefix(f"{found.real}/") for name in self.files if name.startswith(f"{found.real}/"))
        return Listing(tuple(Entry(name, "file") for name in names[:limit]), len(names))

    async def put(self, archive: Iterator[bytes]) -> None:
        self.archives.append(b"".join(archive))

    async def look(self, permit: Permit, verb: str, folder: str, told: bytes, output: Output) -> Running:
        self.looks.append((verb, folder, told))
        output.write(1, self.tells.get(verb, b""))
        output.ended(DONE)
        return FakeCommand(output)

    async def ours(self, path: str, limit: int) -> bytes | None:
        return self.files.get(path)

    async def digests(self, paths: Sequence[str], folders: Sequence[str], most_bytes: int) -> tuple[HeldFile, ...]:
        found = {path: self.files[path] for path in paths if path in self.files}
        return tuple(HeldFile(path, len(data), len(data), sha256(data).hexdigest()) for path, data in found.items())

    async def search(self, permit: Permit, found: Found, request: Mapping[str, Any]) -> bytes:
        raise FileRefused("this one cannot search")

    async def ping(self) -> None:
        if not self.alive:
            raise FileRefused("gone")

    async def close(self) -> None:
        self.alive, self.closed = False, True


@dataclass
class FakeFreezer:
    frozen: set[str] = field(default_factory=set[str])
    gone: set[str] = field(default_factory=set[str])
    stuck: bool = False

    async def freeze(self, sandbox_id: str) -> None:
        await anyio.lowlevel.checkpoint()
        if self.stuck:
            raise SandboxFailed("the engine will not")
        self.frozen.add(sandbox_id)

    async def thaw(self, sandbox_id: str) -> None:
        await anyio.lowlevel.checkpoint()
        if sandbox_id in self.gone:
            raise SandboxLost("the engine answers 404")
        if self.stuck:
            raise SandboxFailed("the engine will not")
        self.frozen.discard(sandbox_id)

    async def forget(self, sandbox_id: str) -> None:
        self.frozen.discard(sandbox_id)


@dataclass
class FakeKeeper:
    """Snapshots that are names."""

    kept: dict[str, Snapshot] = field(default_factory=dict)
    stuck: bool = False
    slow: bool = False  # to delete, without end
    taken: int = 0

    async def take(
        self, sandbox: Any, owner: str, name: str, environment: str, kind: Kind = "named", *, to_the_end: bool = True
    ) -> Snapshot:
        await anyio.lowlevel.checkpoint()
        if self.stuck:
            raise SnapshotFailed("no room")
        self.taken += 1
        image = f"kept:{self.taken}"
        self.kept[name] = Snapshot(f"i{self.taken}", name, owner, kind, image, environment, 1, 0.0, sandbox.spec.user)
        return self.kept[name]

    def find(self, owner: str, name: str, kind: Kind = "named") -> Snapshot:
        if name not in self.kept:
            raise NoSuchSnapshot(name)
        return self.kept[name]

    def unused(self, kind: Kind, seconds: float) -> list[Snapshot]:
        return list(self.kept.values())

    async def delete(self, owner: str, name: str, kind: Kind = "named") -> None:
        await (anyio.sleep_forever() if self.slow else anyio.lowlevel.checkpoint())
        if self.stuck:
            raise SnapshotFailed("no engine")
        del self.kept[self.find(owner, name, kind).name]


def resting(freezer: FakeFreezer | None = None, keeper: FakeKeeper | None = None) -> Resting:
    return Resting(freezer or FakeFreezer(), keeper or FakeKeeper(), lambda kind, fields: None)


@dataclass
class FakeSource:
    """Hands out the sandboxes it was given, in order, then new ones."""

    boxes: list[FakeSandbox] = field(default_factory=list)
    claimed: list[FakeSandbox] = field(default_factory=list)
    allowed: list[tuple[AllowEntry, ...]] = field(default_factory=list)
    announced: list[tuple[str, ...]] = field(default_factory=list)
    waiting: set[str] = field(default_factory=set[str])  # sandboxes that a server left
    adopted: list[tuple[str, str, tuple[AllowEntry, ...]]] = field(default_factory=list)
    bound: list[tuple[AllowEntry, ...]] = field(default_factory=list)
    wanted: list[tuple[SandboxSpec, bool]] = field(default_factory=list)  # and whether alone

    async def claim(self, spec: SandboxSpec, allow: tuple[AllowEntry, ...], *, alone: bool = False) -> FakeSandbox:
        self.wanted.append((spec, alone))
        box = self.boxes.pop(0) if self.boxes else FakeSandbox(id=f"box{len(self.claimed)}")
        self.claimed.append(box)
        self.allowed.append(allow)
        return box

    async def adopt(self, spec: SandboxSpec, sandbox_id: str, key: str, allow: tuple[AllowEntry, ...]) -> FakeSandbox:
        if sandbox_id not in self.waiting:
            raise SandboxLost("it is gone")
        self.adopted.append((sandbox_id, key, allow))
        return FakeSandbox(id=sandbox_id, spec=spec, key=key)

    async def release(self, sandbox: Any) -> None:
        await sandbox.close()

    def bind(self, sandbox: Any, allow: tuple[AllowEntry, ...]) -> None:
        self.bound.append(allow)

    def calls(self, sandbox: Any, decisions: tuple[str, ...]) -> None:
        self.announced.append(decisions)


@dataclass
class FakeHosts:
    """What the policy says of hosts: these entries to everybody, and more to some roles; None while it is away."""

    entries: tuple[AllowEntry, ...] = ()
    by_role: dict[str, tuple[AllowEntry, ...]] = field(default_factory=dict)
    away: bool = False
    asked: list[tuple[str, ...]] = field(default_factory=list)

    async def __call__(self, roles: tuple[str, ...]) -> tuple[AllowEntry, ...] | None:
        await anyio.lowlevel.checkpoint()
        self.asked.append(roles)
        more = (entry for role in roles for entry in self.by_role.get(role, ()))
        return None if self.away else (*self.entries, *more)


def allow_list(*entries: AllowEntry) -> AllowList:
    return AllowList(FakeHosts(entries))


@dataclass
class FakeImages:
    """Images by their names; `fails` is what the next call raises, `gate` holds a commit back."""

    images: set[str] = field(default_factory=set)
    most: int = 0
    fails: bool = False
    begun: threading.Event = field(default_factory=threading.Event)
    gate: threading.Event = field(default_factory=threading.Event)
    removed: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def commit(self, sandbox_id: str, snapshot_id: str, most_bytes: int, tell: Tell) -> Committed:
        self.begun.set()
        assert self.gate.wait(60)
        self._answer()
        self.most = most_bytes
        tell(f"keeping {sandbox_id}")
        return Committed(self._add(snapshot_id), 7, ("/home/me/project",))

    def _add(self, snapshot_id: str) -> str:
        image = f"sandgate-snapshot:{snapshot_id}"
        self.images.add(image)
        return image

    def _answer(self) -> None:
        if self.fails:
            raise SnapshotFailed("the engine is away")

    def remove(self, references: Iterable[str]) -> None:
        self._answer()
        self.images -= set(references)
        self.removed.set()

    def sweep(self, known: frozenset[str]) -> list[str]:
        gone = sorted(self.images - known)
        self.images &= known
        return gone


def snapshots(folder: Path, images: FakeImages | None = None) -> Snapshots:
    return Snapshots(
        SnapshotRows(folder / "db"), images or FakeImages(), folder, Retention(each=2), lambda kind, facts: None
    )
