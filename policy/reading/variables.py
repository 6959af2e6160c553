"""What the shell's variables hold, as far as the text alone decides it.

A name is known from the assignment of a static text on, as long as nothing may have changed it since: another branch, a
loop, a function, arithmetic, a builtin that was handed its name. Nothing is ever known again after text that was not
read may have run in this shell (a sourced file, a trap), or after an attribute changed what assignments mean; but for
what mktemp made, where no other place in the text writes the name.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from types import MappingProxyType

POSITIONAL = "@"
_NAMES, _KEPT, _BYTES = 128, 16, 4096  # that are kept: what doubles with every line must end somewhere
_WAYS = 4  # that one variable is followed
_ANY = frozenset("*")  # in the place of names: every name

# bash computes these, refuses to set them, or changes what other words mean with them.
_SPECIAL = frozenset((
    "BASH", "COLUMNS", "COPROC", "DIRSTACK", "EPOCHREALTIME", "EPOCHSECONDS", "EUID", "FUNCNAME", "FUNCNEST", "GROUPS",
    "HISTCMD", "HOME", "IFS", "LINENO", "LINES", "MAPFILE", "OLDPWD", "OPTARG", "OPTERR", "OPTIND", "PIPESTATUS",
    "POSIXLY_CORRECT", "PPID", "PWD", "RANDOM", "READLINE_LINE", "READLINE_POINT", "REPLY", "SECONDS", "SHELLOPTS",
    "SHLVL", "SRANDOM", "UID", "_",
))  # fmt: skip
_ARGUMENTS = frozenset((POSITIONAL, "0"))
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


@dataclass(frozen=True, slots=True)
class Partly:
    """Text of which only the beginning and the end are known: out="/tmp/$name.log"."""

    begins: str
    ends: str


@dataclass(frozen=True, slots=True)
class Quoted:
    """Words in quotes, as getopt prints them for `eval set --`."""


@dataclass(frozen=True, slots=True)
class Found:
    """A path that a glob found: for f in tests/*.sh."""

    pattern: str


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of these texts, by which way the script went: PM=npm; [ -f yarn.lock ] && PM=yarn."""

    texts: tuple[str, ...]


UNSET, NUMBER, QUOTED = Unset(), Number(), Quoted()
# A tuple holds the elements of an array.
type Held = str | tuple[str, ...] | Unset | Program | Number | Quoted | Partly | Found | OneOf


@dataclass(frozen=True, slots=True)
class Variables:
    """held: what names are known to hold. fixed: read-only ones, which assignments may fail to change.

    changed: HOME and IFS, if they were written. lost: from here on nothing is known any more, but for what is kept.
    written: names that may no longer be as the environment has them, "*" for all.
    """

    held: Mapping[str, Held] = MappingProxyType({})
    fixed: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()
    lost: bool = False
    kept: Mapping[str, str] = MappingProxyType({})
    written: frozenset[str] = _ANY

    @property
    def splits(self) -> bool:
        """Whether words are split as they are by default: at spaces, tabs and newlines."""
        return not self.lost and "IFS" not in self.changed

    @property
    def wild(self) -> bool:
        """Whether what has happened matters to functions, wherever they are called from."""
        return bool(self.lost or self.fixed or self.changed)

    def get(self, name: str) -> Held | None:
        return self.kept[name] if name in self.kept else None if self.lost else self.held.get(name)

    def untouched(self, name: str) -> bool:
        """Whether the variable is certainly as the environment has it."""
        return not (self.lost or name in self.held or name in self.kept or self.written & {name, "*"})

    def keep(self, name: str, text: str) -> "Variables":
        """The variable holds this from here on, whatever happens that is not read."""
        return replace(self, kept={**self.kept, name: text}) if len(self.kept) < _KEPT else self.set(name, text)

    def set(self, name: str, held: Held | None) -> "Variables":
        """The variable holds this; None if nobody knows what."""
        if name in _WATCHED:
            return replace(self, changed=self.changed | {name})
        if name in self.kept:
            return self.without((name,)).set(name, held)
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
        gone = set(names)
        if self.written is not _ANY and not gone <= self.written:
            return replace(self, written=_more(self.written, gone)).without(gone)
        gone &= self.held.keys() | self.kept.keys() if self.kept else self.held.keys()
        return replace(self, held=_less(self.held, gone), kept=_less(self.kept, gone)) if gone else self

    def blank(self) -> "Variables":
        """Any variable may have been changed, but not the arguments: only set, shift and a text of this shell do that."""
        held = {k: v for k, v in self.held.items() if k in _ARGUMENTS}
        return replace(self, held=held, written=_ANY) if self.held or self.written is not _ANY else self

    def gone(self) -> "Variables":
        """Anything may have been done to any variable, and may still be done."""
        return replace(LOST, changed=self.changed, kept=self.kept) if self.changed or self.kept else LOST

    def keeping(self, start: "Variables") -> "Variables":
        """What is known at a start elsewhere in this shell, with what is kept here."""
        return replace(start, kept=self.kept) if self.kept else start

    def meet(self, other: "Variables") -> "Variables":
        """What is known whichever of the two it is."""
        if self is other or self == other:
            return self
        either = ((name, _either(held, other.held.get(name))) for name, held in self.held.items())
        held = {name: held for name, held in either if held is not None}
        kept = {name: text for name, text in self.kept.items() if other.kept.get(name) == text}
        return Variables(
            held,
            self.fixed | other.fixed,
            self.changed | other.changed,
            self.lost or other.lost,
            kept,
            _more(self.written | other.written, _names(self, other) - held.keys() - kept.keys()),
        )

    def differing(self, later: "Variables") -> frozenset[str]:
        """Names that are known here and not, or not as the same, later; and those that are written in between."""
        names = frozenset(name for name, held in self.held.items() if later.held.get(name) != held)
        return names if self.written is _ANY else names | (later.written - self.written)


def _less[V](held: Mapping[str, V], gone: AbstractSet[str]) -> Mapping[str, V]:
    return {name: text for name, text in held.items() if name not in gone}


def _more(written: frozenset[str], names: AbstractSet[str]) -> frozenset[str]:
    more = written | names
    return _ANY if "*" in more or len(more) > _NAMES else more


def _names(*all_of: Variables) -> set[str]:
    return {name for variables in all_of for name in (*variables.held, *variables.kept)}


def _either(one: Held, other: Held | None) -> Held | None:
    """What is known of a variable that holds one or the other."""
    if one == other:
        return one
    texts = tuple(sorted({*_ways(one), *_ways(other)}))
    return OneOf(texts) if _ways(one) and _ways(other) and len(texts) <= _WAYS else None


def _ways(held: Held | None) -> tuple[str, ...]:
    return held.texts if isinstance(held, OneOf) else (held,) if isinstance(held, str) else ()


def _length(held: Held) -> int:
    return (
        sum(len(element) + 1 for element in held)
        if isinstance(held, tuple)
        else len(held)
        if isinstance(held, str)
        else len(held.begins) + len(held.ends)
        if isinstance(held, Partly)
        else 0
    )


NOTHING = Variables()
LOST = Variables(lost=True)
