"""What every client written in Python does, and tells as one JSON object: list, run, be refused, be asked, cancel, time out.

Arguments of a program: MODE (auto or legacy), then `stdio PROGRAM ARGUMENTS...`, or `http URL TOKEN`, or `sse URL TOKEN`.
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
DEADLINE_S = 1.5  # of the command, where a client gives up without a word to the server

type Heard = Callable[[str], None] | None  # told what a notification of progress says


@dataclass
class Target:
    mode: str
    kind: str
    address: list[str]

    @classmethod
    def of_arguments(cls) -> "Target":
        mode, kind, *address = sys.argv[1:]
        return cls(mode, kind, address)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.address[1]}"}


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
    """`asked` is filled by the client's own elicitation handler, where it has one."""

    protocol: str = ""
    tools: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def drive(self, call: Call) -> None:
        ran, progress = await _heard(call)
        refused = await call("shell", _in_work("sudo id"))
        allowed = await call("shell", _in_work(ASKED))
        cancelled = await _given_up(call, f"cancelled-{self.protocol}", _cancel)
        timed_out = await _given_up(call, f"timed-out-{self.protocol}", _time_out)
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


async def _heard(call: Call) -> tuple[Answer, str]:
    """A command that goes on only once its progress has been heard."""
    progress: list[str] = []
    heard = asyncio.Event()

    def told(message: str) -> None:
        progress.append(message)
        if "one" in message:
            heard.set()

    running = asyncio.create_task(call("shell", _in_work(HELD, timeout_s=30), heard=told))
    await asyncio.wait_for(heard.wait(), 25)
    await call("exec", {"argv": ["touch", "go"], "session": "work"})
    return await running, "".join(progress)


def _in_work(command: str, **more: Any) -> dict[str, Any]:
    return {"command": command, "session": "work", **more}


async def _given_up(call: Call, mark: str, give_up: Callable[[Call, dict[str, Any], str], Awaitable[None]]) -> bool:
    """Whether the command that the client gave up has ended: at once where it was told, else by its own deadline."""
    await give_up(call, _in_work(f"exec -a {mark} sleep 61", timeout_s=DEADLINE_S), mark)
    return await _until(call, mark, runs=False)


async def _cancel(call: Call, arguments: dict[str, Any], mark: str) -> None:
    task = asyncio.create_task(call("shell", arguments))
    assert await _until(call, mark, runs=True)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _time_out(call: Call, arguments: dict[str, Any], _: str) -> None:
    try:
        answer = await call("shell", arguments, timeout_s=0.7)
    except Exception:  # noqa: BLE001 - each client has its own
        return
    raise AssertionError(answer)


async def _until(call: Call, mark: str, *, runs: bool) -> bool:
    for _ in range(200):
        seen = await call("exec", {"argv": ["ps", "-eo", "args"], "session": "work"})
        assert not seen.is_error, seen.text
        if (f"\n{mark} " in seen.text) is runs:
            return True
        await asyncio.sleep(0.05)
    return False
