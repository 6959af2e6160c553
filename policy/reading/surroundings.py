"""What is known around a word that is expanded."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from policy.reading.variables import NOTHING, Variables


@dataclass(frozen=True, slots=True)
class Surroundings:
    """home and cwd: None where they are not known. functions: names that no longer mean a builtin."""

    home: str | None
    cwd: str | None
    variables: Variables = NOTHING
    functions: AbstractSet[str] = frozenset()
