"""What every client written in Python does, and tells as one JSON object: list, run, be refused, be asked, cancel, time out.

Arguments of a program: MODE (auto or legacy) and SESSION, then `stdio PROGRAM ARGUMENTS...`, or `http URL TOKEN`, or
`sse URL TOKEN`.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

RUN = "echo one; sleep 1; echo two; exit 3"
HELD = "rm -f go; echo one; until [ -e go ]; do sleep 0.05; done; echo two; exit 3"  # until we have heard of it
ASKED = "git push; echo went on"
SILENT_S = 8.0  # of a command, where a client gives up without a word to the server; long enough to be seen running
TOLD_S = 60.0  # where it says so: the command ends by that alone
PATIENCE_S = 4.0  # of the client that gives up; the command has begun by then

type Heard = Callable[[str], None] | None  # told what a notification of progress says


@dataclass
class Target:
    mode: str
    session: str
    kind: str
    address: list[str]

    @classmethod
    def of_arguments(cls) -> "Target":
        mode, session, kind, *address = sys.argv[1:]
        return cls(mode, session, kind, address)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.address[1]}"}


def short(target: Target) -> float:
    """Seconds of patience for a whole connection: on a busy machine a server on stdio starts within them, and one over HTTP lists its tools."""
    return 20 if target.kind == "stdio" else 8


@dataclass
class Answer:
    text: str
    structured: dict[str, Any] | None
    is_error: bool


def text(content: list[Any]) -> str:
    """The text that a client found in a result."""
    return "\n".join(part.text for part in content if part.type == "text")


def progress(heard: Heard) -> Callable[[float, float | None, str | None], Awaitable[None]] | None:
    """What a client calls with each notification; None where nobody listens, so that it asks for none."""

    async def told(_: float, __: float | None, message: str | None) -> None:
        if heard:
            heard(message or "")

    return told if heard else None


class Call(Protocol):
    async def __call__(
        self,
        name: str,
        arguments: dict[str, Any],
        heard: Heard = None,
        timeout_s: float | None = None,
    ) -> Answer: ...


@dataclass
class Report:
    """`asked` is filled by the client's own elicitation handler, where it has one. silent: it gives up without a word."""

    session: str
    silent: bool = False
    protocol: str = ""
    tools: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def drive(self, call: Call) -> None:
        work = Work(call, self.session, SILENT_S if self.silent else TOLD_S)
        ran, progress = await work.heard()
        refused = await work.shell("sudo id")
        allowed = await work.shell(ASKED)
        cancelled = await work.cancelled("cancelled-py")
        timed_out = await work.timed_out("timed-out-py")
        await call("session_close", {"session": self.session})
        print(
            json.dumps(
                {
                    "protocol": self.protocol,
                    "tools": self.tools,
                    "ran": ran.structured,
                    "text": ran.text,
                    "progress": progress,
                    "refused": [refused.is_error, refused.text],
                    "asked": self.asked,
                    "allowed": [allowed.is_error, allowed.text],
                    "gone": [cancelled, timed_out],
                }
            )
        )


@dataclass
class Work:
    """What is done in one session."""

    call: Call
    session: str
    deadline_s: float = SILENT_S

    async def shell(self, command: str, **more: Any) -> Answer:
        return await self.call("shell", self.told(command), **more)

    def told(self, command: str, **more: Any) -> dict[str, Any]:
        return {"command": command, "session": self.session, **more}

    def sleeping(self, mark: str) -> dict[str, Any]:
        return self.told(f"exec -a {mark} sleep 61", timeout_s=self.deadline_s)

    async def heard(self) -> tuple[Answer, str]:
        """A command that goes on only once its progress has been heard."""
        progress: list[str] = []
        heard = asyncio.Event()

        def told(message: str) -> None:
            progress.append(message)
            if "one" in message:
                heard.set()

        running = asyncio.create_task(self.call("shell", self.told(HELD, timeout_s=60), heard=told))
        await asyncio.wait_for(heard.wait(), 55)
        await self.call("exec", {"argv": ["touch", "go"], "session": self.session})
        return await running, "".join(progress)

    async def cancelled(self, mark: str) -> bool:
        """Whether the command of a call that was cancelled has ended: at once where we told, else by its own deadline."""
        return await self.dropped(asyncio.create_task(self.call("shell", self.sleeping(mark))), mark)

    async def dropped(self, task: "asyncio.Task[Any]", mark: str) -> bool:
        """The same of any task that is about such a command."""
        assert await self.until(mark, runs=True)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return await self.until(mark, runs=False)

    async def timed_out(self, mark: str) -> bool:
        """The same where the client's own patience has ended."""
        try:
            answer = await self.call("shell", self.sleeping(mark), timeout_s=PATIENCE_S)
        except Exception:  # noqa: BLE001 - each client has its own
            return await self.until(mark, runs=False)
        raise AssertionError(answer)

    async def until(self, mark: str, *, runs: bool) -> bool:
        for _ in range(200):
            seen = await self.call("exec", {"argv": ["ps", "-eo", "args"], "session": self.session})
            assert not seen.is_error, seen.text
            if (f"\n{mark} " in seen.text) is runs:
                return True
            await asyncio.sleep(0.25)  # each look costs the server a call
        return False
