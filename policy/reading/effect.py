"""What running a command leads to, as far as its own words tell. Pure values; statement.py carries them out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from policy.command import Assign
from policy.reading.piece import Word


class Unchanged:
    """The inner command starts where the outer one does."""


UNCHANGED = Unchanged()


@dataclass(frozen=True, slots=True)
class Run:
    """Another command, run by this one. cwd: relative to the outer one's; None if unknown."""

    words: tuple[Word, ...]
    via: str
    cwd: Word | Unchanged = UNCHANGED
    assigns: tuple[Assign, ...] = ()
    elsewhere: bool = False  # on another machine or under another root: our paths mean nothing there
    replaces: bool = False  # exec: nothing after it runs


@dataclass(frozen=True, slots=True)
class RunScript:
    """Shell text; None where it is dynamic. here: read by this very shell, so that its `cd` stays."""

    code: str | None
    shell: str
    via: str
    here: bool = False
    later: bool = False  # a trap or an alias: it runs at some other time; here as well: from now on, at any
    elsewhere: bool = False
    lenient: bool = False  # may not be bash at all: what cannot be parsed is kept as inline code
    arguments: tuple[Word, ...] | None = None  # $0, $1, ...; None if they are not known


@dataclass(frozen=True, slots=True)
class RunInline:
    """Program text for an interpreter that is not a shell; None where it is dynamic.

    outside: variables that are all that is not known of it, and do no harm in it if they came with the environment.
    """

    interpreter: str
    code: str | None
    outside: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RunStdin:
    """A program read from standard input, or from descriptor `fd` through a name such as /dev/fd/3."""

    interpreter: str
    is_shell: bool
    fd: int = 0
    here: bool = False
    elsewhere: bool = False
    optional: bool = False  # reads its input as a program only if there is any (ssh)


@dataclass(frozen=True, slots=True)
class ChangeDirectory:
    """cd and pushd; None if the target is dynamic. back: to OLDPWD, or off the stack."""

    target: Word | None
    kind: Literal["cd", "pushd", "popd", "back"] = "cd"


@dataclass(frozen=True, slots=True)
class Leave:
    """exit: nothing after it runs in this shell."""


@dataclass(frozen=True, slots=True)
class Jump:
    """break, continue and return: nothing after it runs in this loop or function."""

    function: bool = False


@dataclass(frozen=True, slots=True)
class SetVariable:
    """A builtin gives a variable a value; None if dynamic. appends, prepends: as in Assign."""

    name: str
    value: str | None = None
    appends: str | None = None
    prepends: str | None = None


@dataclass(frozen=True, slots=True)
class DefineAlias:
    name: str
    code: str | None


@dataclass(frozen=True, slots=True)
class TakeName:
    """A builtin takes a word for the name of a variable, and evaluates a subscript in it."""

    word: Word


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Arithmetic on this word: what a variable in it holds is evaluated in turn."""

    word: Word


@dataclass(frozen=True, slots=True)
class Expand:
    """Text in which bash expands what it finds; None where it is dynamic."""

    text: str | None


type Effect = (
    Run
    | RunScript
    | RunInline
    | RunStdin
    | ChangeDirectory
    | Leave
    | Jump
    | SetVariable
    | DefineAlias
    | TakeName
    | Evaluate
    | Expand
)
type Effects = tuple[Effect, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A command as its own program sees it."""

    name: str
    words: tuple[Word, ...]

    @property
    def operands(self) -> tuple[Word, ...]:
        return self.words[1:]


type Meaning = Callable[[Call], Effects]


def joined(words: tuple[Word, ...]) -> str | None:
    """Words as ssh, eval and watch join them into one text; None if any is dynamic."""
    texts = [word.text for word in words]
    return None if None in texts else " ".join(text for text in texts if text is not None)
