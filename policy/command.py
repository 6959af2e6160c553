"""From the text or argv an agent sent to the facts a policy judges.

Bash is read by shfmt (a process of its own, in server.judge); what arrives here is its JSON syntax tree. Reading is a
generator that yields each text it needs parsed and is sent the tree back, so this module never does I/O.
"""

from dataclasses import dataclass, field
from typing import Literal

type PathKind = Literal["bare", "system", "workspace", "outside", "dynamic"]


@dataclass(frozen=True, slots=True)
class Assign:
    """One `NAME=value` in front of a command, or a statement of its own; value is None where it is dynamic.

    appends: what is put behind the old value where that is all that happens (PATH=$PATH:/x: ":/x"), else None.
    begins: what a dynamic value begins with (PATH=/x:$PATH: "/x:").
    prepends: what is put in front of the old value where that is all that happens (PATH=/x:$PATH: "/x:"), else None.
    """

    name: str
    value: str | None
    appends: str | None = None
    begins: str = ""
    prepends: str | None = None


@dataclass(frozen=True, slots=True)
class Redirect:
    """One redirection. `path` is absolute and normalised; None for a dynamic target and for here-documents.

    Of a dynamic target that ends as results do the path is a pattern: "/workspace/out/*.log".
    """

    op: str
    fd: int | None
    path: str | None
    dynamic: bool


@dataclass(frozen=True, slots=True)
class SimpleCommand:
    """One command that bash may execute, at any depth, with wrappers such as env, timeout or sudo already taken off.

    argv: decoded words; None where the word is only known at run time. It is empty where bash runs no program: an
    assignment or a redirection alone, a loop that sets its variable, the redirections of a compound command.
    name: last part of argv[0], None if dynamic, "" if argv is empty.
    dynamic: for each word of argv the reason why it is not static (param, cmdsub, arith, procsub, glob, brace, number
    where nothing but digits is unknown, and input for what xargs or find fills in), "" if it is static.
    known: for each dynamic word what is known of it: of a glob the pattern, of a number the whole text with a 1 for the
    digits, else the text it begins with; "" otherwise.
    ends: the same of what it ends with; empty where no word has such an end.
    assigns: NAME=value before the command, from env and sudo, and those that export, declare, read or printf -v make.
    via: the wrappers taken off, outermost first ("sudo", "xargs", "sh -c", "$()", "function f", "trap").
    cwd: where it starts, None if unknown. other_cwds: where it starts instead if a `cd` before it fails or a branch goes
    the other way. elsewhere: it runs on another machine or under another root, so its paths are not ours.
    span: byte offsets in the outermost text.
    """

    argv: tuple[str | None, ...]
    name: str | None
    path_kind: PathKind
    dynamic: tuple[str, ...] = ()
    assigns: tuple[Assign, ...] = ()
    redirects: tuple[Redirect, ...] = ()
    cwd: str | None = None
    via: tuple[str, ...] = ()
    span: tuple[int, int] = (0, 0)
    known: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    other_cwds: tuple[str | None, ...] = ()
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class InlineCode:
    """Program text handed to an interpreter on its command line or standard input; None where it is dynamic."""

    interpreter: str
    code: str | None


@dataclass(frozen=True, slots=True)
class ScriptFacts:
    """What is true of the whole text, beside its commands. parse_error is None where all of it was read exactly."""

    functions: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    inline_code: tuple[InlineCode, ...] = ()
    pipe_to_shell: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    latent_arithmetic: bool = False
    control_chars: bool = False
    parse_error: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything that was read from one text or argv.

    said: names of files worth guarding that the script itself puts into a variable, as (variable, name): "@" stands for
    the arguments, "|" for what is printed into a pipe, "()" for what a function prints, and (variable, "|") for one that
    is read from one. unknown: commands with words of which nothing is known, each as its place and its variable ("()"
    for a substitution, "" for any variable).
    """

    commands: tuple[SimpleCommand, ...] = ()
    script: ScriptFacts = field(default_factory=ScriptFacts)
    said: tuple[tuple[str, str], ...] = ()
    unknown: tuple[tuple[SimpleCommand, tuple[tuple[int, str], ...]], ...] = ()
