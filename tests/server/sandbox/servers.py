"""Several servers on one state, without an engine."""

from dataclasses import dataclass
from pathlib import Path

from policy.question import CallerFacts, Question, RunCommand, SessionFacts
from policy.verdict import Allow, permit
from server.sandbox.allow_list import AllowList
from server.sandbox.egress_link import AllowEntry
from server.sandbox.room import Room
from server.sandbox.sandbox import Exit, NoSuchImage, SandboxFailed, SandboxSpec
from server.sandbox.sessions import Sessions
from tests.clock import Clock
from tests.fakes import SPEC, FakeFreezer, FakeHosts, FakeKeeper, FakeSandbox, FakeSource, ledger, resting

ACT = RunCommand(("true",), "/workspace", b"", 1, background=False)
PERMIT = permit(Question(CallerFacts("ann"), "exec", SessionFacts("default", "base"), ACT, {}), Allow())
ALLOWED: tuple[AllowEntry, ...] = ("docs.example", "api.example")


def nothing(end: Exit) -> None: ...


class Source(FakeSource):
    specs: list[SandboxSpec]
    without_image: bool = False
    away: bool = False

    async def adopt(self, spec: SandboxSpec, sandbox_id: str, key: str, allow: tuple[AllowEntry, ...]) -> FakeSandbox:
        if self.away:
            raise SandboxFailed("the engine does not answer")
        return await super().adopt(spec, sandbox_id, key, allow)

    async def claim(self, spec: SandboxSpec, allow: tuple[AllowEntry, ...], *, alone: bool = False) -> FakeSandbox:
        if self.without_image:
            raise NoSuchImage("the engine has no image kept:1")
        made = await super().claim(spec, allow, alone=alone)
        made.spec = spec
        return made


@dataclass
class Server:
    """One of several on the same state; `dead` are those that it takes for dead, `ending` for about to end."""

    folder: Path
    keeper: FakeKeeper
    name: str = "one"
    dead: tuple[str, ...] = ()
    ending: tuple[str, ...] = ()
    most: int = 3
    clock: Clock | None = None

    def __post_init__(self) -> None:
        self.source, self.hosts = Source(), FakeHosts(ALLOWED)
        self.room = Room(self.most, patience_s=0)
        self.sessions = Sessions(
            self.source,
            {"base": SPEC},
            self.folder,
            AllowList(self.hosts),
            self.room,
            ledger(self.folder, self.name, lambda other: other not in self.dead, lambda other: other in self.ending),
            resting(FakeFreezer(), self.keeper),
            clock=self.clock or Clock(1000.0),
        )
