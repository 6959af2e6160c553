"""What the path works with, each as the little that it asks of it."""

from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from typing import Any, Literal, Protocol

from policy.command import Reading
from policy.held import Held
from policy.question import Question
from policy.verdict import Ask, Verdict
from server.judge.approvals import Approval, Scope
from server.sandbox.jobs import Job
from server.sandbox.sandbox import SandboxSpec
from server.sandbox.session import Session

type Progress = Callable[[Job], Coroutine[Any, Any, None]]


class Record(Protocol):
    decision_id: str

    def decided(self, question: Question, verdict: Verdict) -> None: ...

    def ended(self, **outcome: Any) -> None: ...

    def write(self, kind: str, fields: Mapping[str, Any]) -> None: ...


class Audit(Protocol):
    def call(
        self, caller: str, tool: str, session: str, arguments: Mapping[str, Any], *, reads_state: bool
    ) -> AbstractAsyncContextManager[Record]: ...


class Limits(Protocol):
    def admit(self, caller: str, tool: str) -> AbstractAsyncContextManager[None]: ...


class Environments(Protocol):
    """What a session of an environment is made from, made ready first where that is needed."""

    async def ready(self, spec: SandboxSpec, progress: Progress) -> SandboxSpec: ...


class People(Protocol):
    """Their answers to what the policy asks."""

    async def given(self, question: Question, ask: Ask, held: Held) -> Approval | None:
        """A yes to exactly this, used up where it is good for once."""

    async def wanted(self, question: Question, ask: Ask, held: Held) -> Approval | None:
        """The question, written down where a person finds it."""

    async def answer(self, approval: str, *, yes: bool, by: str, scope: Scope = "once") -> None:
        """Raises NoSuchApproval."""


class AsTheyAre:
    """Environments in which nothing has to be prepared."""

    async def ready(self, spec: SandboxSpec, progress: Progress) -> SandboxSpec:  # noqa: ARG002 - nothing to tell of
        return spec


class Steps(Protocol):
    """Looks on while a call is on its way."""

    def call(self, decision_id: str) -> AbstractContextManager[None]: ...

    def step(self, name: Literal["read", "judge", "session", "run"]) -> AbstractContextManager[None]: ...


class NobodyLooks:
    def call(self, decision_id: str) -> AbstractContextManager[None]:  # noqa: ARG002 - it is a Steps
        return nullcontext()

    step = call


class Reader(Protocol):
    """From text or argv to facts; what cannot be read says so in the reading."""

    async def read_script(self, text: str, cwd: str, home: str, workspaces: tuple[str, ...]) -> Reading: ...

    async def read_argv(self, argv: tuple[str, ...], cwd: str, home: str, workspaces: tuple[str, ...]) -> Reading: ...


class Guard(Protocol):
    """Looks after folders that both a sandbox and its host write."""

    async def after(self, session: Session) -> None: ...


class NothingToGuard:
    async def after(self, session: Session) -> None: ...


class Judge(Protocol):
    async def decide(self, question: Question) -> Verdict: ...

    async def decide_request(self, question: Question) -> Verdict:
        """Of what leaves a sandbox."""
