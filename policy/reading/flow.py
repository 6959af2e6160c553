"""Where a command may start: the directories that cd, pushd and their failures leave possible."""

from dataclasses import dataclass

from policy.path import normalise

_POSSIBILITIES = 4  # more than these, and the directory counts as unknown


@dataclass(frozen=True, slots=True)
class Where:
    """One possibility: the directory (None if unknown), OLDPWD, and what pushd has put aside."""

    cwd: str | None
    old: str | None = None
    stack: tuple[str | None, ...] = ()

    def moved(self, cwd: str | None) -> "Where":
        return Where(cwd, self.cwd, self.stack)

    def pushed(self, cwd: str | None) -> "Where":
        return Where(cwd, self.cwd, (self.cwd, *self.stack))

    def popped(self) -> "Where":
        return Where(self.stack[0] if self.stack else None, self.cwd, self.stack[1:])


type Flow = tuple[Where, ...]  # the likely one first; never empty where a command runs

UNKNOWN: Flow = (Where(None),)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where the shell may be after a statement that succeeded, and after one that failed."""

    won: Flow
    lost: Flow

    @property
    def either(self) -> Flow:
        return union(self.won, self.lost)


def stays(flow: Flow) -> Outcome:
    return Outcome(flow, flow)


def union(*flows: Flow) -> Flow:
    """Every possibility once, in order; too many are one unknown."""
    merged = tuple(dict.fromkeys(where for flow in flows for where in flow))
    return merged if len(merged) <= _POSSIBILITIES else (merged[0], Where(None))


def resolved(text: str, where: Where, home: str | None) -> str | None:
    """An operand of cd as a path; None where the answer hangs on an unknown directory."""
    if where.cwd is None and not text.startswith("/"):
        return None
    return normalise(text, where.cwd or "/", home or "/")
