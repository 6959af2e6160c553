"""What the shell's variables hold, as far as the text alone decides it.

A name is known from the assignment of a static text on, as long as nothing may have changed it since: another branch, a
loop, a function, arithmetic, a builtin that was handed its name. Nothing is ever known again after text that was not
read may have run in this shell (a sourced file, a trap), or after an attribute changed what assignments mean.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

POSITIONAL = "@"
_NAMES, _BYTES = 128, 4096  # that are kept: what doubles with every line must end somewhere

# bash computes these, refuses to set them, or changes what other words mean with them.
_SPECIAL = frozenset((
    "BASH", "COLUMNS", "COPROC", "DIRSTACK", "EPOCHREALTIME", "EPOCHSECONDS", "EUID", "FUNCNAME", "FUNCNEST", "GROUPS",
    "HISTCMD", "HOME", "IFS", "LINENO", "LINES", "MAPFILE", "OLDPWD", "OPTARG", "OPTERR", "OPTIND", "PIPESTATUS",
    "POSIXLY_CORRECT", "PPID", "PWD", "RANDOM", "READLINE_LINE", "READLINE_POINT", "REPLY", "SECONDS", "SHELLOPTS",
    "SHLVL", "SRANDOM", "UID", "_",
))  # fmt: skip
_WATCHED = frozenset(("HOME", "IFS"))
_LOSING = frozenset(("BASH_ALIASES", "BASH_COMPAT"))


@dataclass(frozen=True, slots=True)
class Unset:
    """The variable certainly does not exist."""


@dataclass(frozen=True, slots=True)
class Program:
    """Where `which` or `command -v` found a program of this name: good to run, but no text to go by."""

    name: str


@dataclass(frozen=True, slots=True)
class Number:
    """Digits, such as those of $!: no text to go by, and none that could be read in another way."""


UNSET, NUMBER = Unset(), Number()
type Held = str | tuple[str, ...] | Unset | Program | Number  # a tuple holds the elements of an array


@dataclass(frozen=True, slots=True)
class Variables:
    """held: what names are known to hold. fixed: read-only ones, which assignments may fail to change.

    changed: HOME and IFS, if they were written. lost: from here on nothing is known any more.
    """

    held: Mapping[str, Held] = MappingProxyType({})
    fixed: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()
    lost: bool = False

    @property
    def splits(self) -> bool:
        """Whether words are split as they are by default: at spaces, tabs and newlines."""
        return not self.lost and "IFS" not in self.changed

    @property
    def wild(self) -> bool:
        """Whether what has happened matters to functions, wherever they are called from."""
        return bool(self.lost or self.fixed or self.changed)

    def get(self, name: str) -> Held | None:
        return None if self.lost else self.held.get(name)

    def set(self, name: str, held: Held | None) -> "Variables":
        """The variable holds this; None if nobody knows what."""
        if name in _WATCHED:
            return replace(self, changed=self.changed | {name})
        if name in _LOSING:
            return self.gone()
        if held is None or self.lost or name in self.fixed or name in _SPECIAL or name.startswith(("BASH_", "COMP_")):
            return self.without((name,))
        if len(self.held) >= _NAMES or _length(held) > _BYTES:
            return self.without((name,))
        return replace(self, held={**self.held, name: held})

    def fix(self, name: str) -> "Variables":
        return replace(self, fixed=self.fixed | {name})

    def without(self, names: Iterable[str]) -> "Variables":
        gone = self.held.keys() & set(names)
        return replace(self, held={k: v for k, v in self.held.items() if k not in gone}) if gone else self

    def blank(self) -> "Variables":
        """Any variable may have been changed."""
        return replace(self, held={}) if self.held else self

    def gone(self) -> "Variables":
        """Anything may have been done to any variable, and may still be done."""
        return LOST if not self.changed else replace(LOST, changed=self.changed)

    def meet(self, other: "Variables") -> "Variables":
        """What is known whichever of the two it is."""
        if self is other or self == other:
            return self
        return Variables(
            {name: held for name, held in self.held.items() if other.held.get(name) == held},
            self.fixed | other.fixed,
            self.changed | other.changed,
            self.lost or other.lost,
        )

    def differing(self, later: "Variables") -> frozenset[str]:
        """Names that are known here and not, or not as the same, later."""
        return frozenset(name for name, held in self.held.items() if later.held.get(name) != held)


def _length(held: Held) -> int:
    return (
        sum(len(element) + 1 for element in held)
        if isinstance(held, tuple)
        else len(held)
        if isinstance(held, str)
        else 0
    )


NOTHING = Variables()
LOST = Variables(lost=True)
