"""Whose traffic it is: the calls that may have caused it, and how sure that is. Pure."""

from dataclasses import dataclass
from typing import Literal

# process: the kernel named the process that opened the connection, and it is below that call's command.
# only_job: nothing else ran in the sandbox. any_of: one of those that ran.
type Attribution = Literal["process", "only_job", "any_of"]


@dataclass(frozen=True, slots=True)
class Cause:
    """Decision ids of calls, the newest last."""

    decisions: tuple[str, ...] = ()
    attribution: Attribution = "any_of"

    @property
    def newest(self) -> str | None:
        return self.decisions[-1] if self.decisions else None


def cause(mark: str, running: tuple[str, ...]) -> Cause:
    """mark: what came with the connection. It is from the sandbox, so a lie; but it can only name a call that runs there."""
    if mark in running and len(running) > 1:
        return Cause((mark,), "process")
    return Cause(running, "only_job" if len(running) == 1 else "any_of")
