"""What would be said of a command, a path or a host: for the tool policy_check and for the page alike. Nothing runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from policy.question import Op, Question
from policy.verdict import Verdict
from server.asks import BASH, Caller, FileAsk, RunAsk, SessionAsk, Target, never
from server.call import Gateway
from server.front.parameters import given
from server.judge.host_patterns import BadHost


@dataclass(frozen=True, slots=True)
class Asked:
    """The first of command, path and host that is there."""

    command: str | None = None
    path: str | None = None
    op: Op = "read"
    host: str | None = None

    @property
    def arguments(self) -> Mapping[str, Any]:
        return given(command=self.command, path=self.path, op=self.op if self.path else None, host=self.host)


type Said = tuple[Question, Verdict] | str


async def dry_run(gateway: Gateway, caller: Caller, target: Target, asked: Asked) -> Said:
    """Question and verdict, or a sentence where nothing was asked for, or no host. A call as any: recorded and bounded."""

    async def act(caller: Caller) -> Said:
        if asked.command is not None:
            return await gateway.check(caller, _command(target, asked.command, asked.arguments))
        if asked.path is not None:
            tool = {"read": "file_read", "list": "file_list"}.get(asked.op, "file_write")
            return await gateway.check_path(
                caller, FileAsk[None](tool, target, asked.op, asked.path, asked.arguments, never)
            )
        if asked.host is not None:
            try:
                return await gateway.check_host(caller, target, asked.host)
            except BadHost as exc:
                return str(exc)
        return "Give command, path or host."

    return await gateway.use_session(caller, SessionAsk("policy_check", target, asked.arguments, act))


def _command(target: Target, text: str, arguments: Mapping[str, Any]) -> RunAsk:
    return RunAsk("shell", target, (*BASH, text), text, None, b"", 300, 45, background=False, arguments=arguments)
