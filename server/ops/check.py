"""One thing that `sandgate doctor` looked at."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

type Outcome = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """`fail`: Sandgate does not work, or does not hold what it promises; `warn`: it works with a control missing.

    id: stable, for programs. fix: the one thing to do next, "" where nothing is to be done.
    """

    id: str
    outcome: Outcome
    sentence: str
    fix: str = ""


type Tell = Callable[[Check], None]


def ok(name: str, sentence: str) -> Check:
    return Check(name, "ok", sentence)


def warn(name: str, sentence: str, fix: str) -> Check:
    return Check(name, "warn", sentence, fix)


def fail(name: str, sentence: str, fix: str) -> Check:
    return Check(name, "fail", sentence, fix)
