"""What is known around a word that is expanded."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from policy.reading.budget import Budget
from policy.reading.variables import NOTHING, Variables


@dataclass(frozen=True, slots=True)
class Surroundings:
    """home and cwd: None where they are not known. functions: names that no longer mean a builtin.

    tmp: mktemp makes its files in /tmp, as nothing says otherwise.
    """

    home: str | None
    cwd: str | None
    variables: Variables = NOTHING
    functions: AbstractSet[str] = frozenset()
    tmp: bool = False
    budget: Budget = field(default_factory=Budget)
