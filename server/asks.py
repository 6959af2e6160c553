"""What a front asks of the path, and what it is told of a command."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from policy.question import Op, RunCommand
from policy.verdict import Permit
from server.sandbox.jobs import Job
from server.sandbox.sandbox import Exit, Found
from server.sandbox.session import Session

SEES_ALL: Final = frozenset({"admin", "auditor"})
APPROVER: Final = "approver"
BASH = ("/bin/bash", "--noprofile", "--norc", "-c")  # how a script is run, as the policy reads it


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: issuer and subject on HTTP, "local" on stdio. Nothing is anonymous. Most roles mean what policies say."""

    id: str
    roles: tuple[str, ...] = ()

    @property
    def sees_all(self) -> bool:
        """What is everybody's: on the page, and as metrics."""
        return not SEES_ALL.isdisjoint(self.roles)

    @property
    def answers(self) -> bool:
        """The questions of others."""
        return APPROVER in self.roles


@dataclass(frozen=True, slots=True)
class Target:
    """The session a call names, and the environment it gets where the call is its first."""

    session: str
    environment: str


@dataclass(frozen=True, slots=True)
class RunAsk:
    """What shell and exec ask for. `script` is the text of a shell call; exec has none."""

    tool: str
    target: Target
    argv: tuple[str, ...]
    script: str | None
    cwd: str | None
    stdin: bytes
    timeout_s: float
    wait_s: float
    background: bool
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FileAsk[R]:
    """What a file tool asks for; `act` does it, with the permit and the handle that was judged."""

    tool: str
    target: Target
    op: Op
    path: str
    arguments: Mapping[str, Any]
    act: Callable[[Session, Permit, Found], Awaitable[R]]
    reads_too: bool = False  # an edit shows what it found, so it is a read as well
    shows: str = ""  # what a person is shown beside the arguments, where they are asked


@dataclass(frozen=True, slots=True)
class SessionAsk[R]:
    """What is about sessions and their jobs rather than inside one."""

    tool: str
    target: Target
    arguments: Mapping[str, Any]
    act: Callable[[Caller], Awaitable[R]]


type AnyAsk = RunAsk | FileAsk[Any] | SessionAsk[Any]


@dataclass(frozen=True, slots=True)
class Ran:
    """A command after `wait_s`: over, or running on as `job`."""

    job: Job
    end: Exit | None
    session: Session
    is_new_session: bool
    decision_id: str
    act: RunCommand
    remarks: tuple[str, ...] = ()  # what else there is to tell of the session


async def never(*_: object) -> None:
    """The act of what is only asked about."""
    raise AssertionError("nothing is done for a question")
