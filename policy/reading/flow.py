"""Where a command may start: the directories that cd, pushd and their failures leave possible, and what variables hold."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import reduce

from policy.path import normalise
from policy.reading.variables import LOST, NOTHING, Variables

_POSSIBILITIES = 4  # more than these, and the directory counts as unknown


@dataclass(frozen=True, slots=True)
class Where:
    """One possibility: the directory (None if unknown), OLDPWD, what pushd has put aside, and what variables hold."""

    cwd: str | None
    old: str | None = None
    stack: tuple[str | None, ...] = ()
    variables: Variables = field(default=NOTHING, compare=False)

    def moved(self, cwd: str | None) -> "Where":
        return Where(cwd, self.cwd, self.stack, self.variables)

    def pushed(self, cwd: str | None) -> "Where":
        return Where(cwd, self.cwd, (self.cwd, *self.stack), self.variables)

    def popped(self) -> "Where":
        return Where(self.stack[0] if self.stack else None, self.cwd, self.stack[1:], self.variables)


type Flow = tuple[Where, ...]  # the likely one first; never empty where a command runs

UNKNOWN: Flow = (Where(None, variables=LOST),)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where the shell may be after a statement that succeeded, and after one that failed."""

    won: Flow
    lost: Flow

    @property
    def either(self) -> Flow:
        return self.won if self.won is self.lost else union(self.won, self.lost)


def stays(flow: Flow) -> Outcome:
    return Outcome(flow, flow)


def union(*flows: Flow) -> Flow:
    """Every possibility once, in order; too many are one unknown. The same place twice keeps what both know."""
    places: dict[Where, Where] = {}
    for where in (where for flow in flows for where in flow):
        before = places.get(where)
        met = where if before is None else replace(where, variables=before.variables.meet(where.variables))
        places[where] = met
    merged = tuple(places.values())
    return merged if len(merged) <= _POSSIBILITIES else (merged[0], Where(None, variables=known(merged)))


def astray(flow: Flow) -> Flow:
    """The same, or any other directory."""
    return union(flow, (Where(None, variables=known(flow)),))


def known(flow: Flow) -> Variables:
    """What is known of variables, whichever possibility it is."""
    if len(flow) == 1:
        return flow[0].variables
    return reduce(Variables.meet, (where.variables for where in flow)) if flow else LOST


def changing(flow: Flow, change: Callable[[Variables], Variables]) -> Flow:
    """The same places, after something was done to variables."""
    changed = [change(where.variables) for where in flow]
    if all(now is where.variables for now, where in zip(changed, flow, strict=True)):
        return flow
    return tuple(replace(where, variables=now) for now, where in zip(changed, flow, strict=True))


def resolved(text: str, where: Where, home: str | None) -> str | None:
    """An operand of cd as a path; None where the answer hangs on an unknown directory."""
    if where.cwd is None and not text.startswith("/"):
        return None
    return normalise(text, where.cwd or "/", home or "/")
