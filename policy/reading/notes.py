"""What one reading has found so far. Mutable on purpose: it lives for one pass and ends as a Reading."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from policy.command import InlineCode, Reading, ScriptFacts, SimpleCommand
from policy.reading.bounds import COMMANDS
from policy.reading.budget import TooMuch
from policy.reading.piece import Word
from policy.sensitive import guarded

_RESERVED = frozenset((
    "!", "[[", "]]", "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "in",
    "select", "then", "time", "until", "while", "{", "}",
))  # fmt: skip
_ARGUMENTS = frozenset("@*")
_COMPOUND = re.compile(r"(?:^|=)\s*\(")


@dataclass(slots=True)
class Notes:
    commands: list[SimpleCommand] = field(default_factory=list)
    seen: set[SimpleCommand] = field(default_factory=set)
    functions: dict[str, None] = field(default_factory=dict)
    aliases: dict[str, None] = field(default_factory=dict)
    inline_code: dict[InlineCode, None] = field(default_factory=dict)
    pipe_to_shell: dict[str, None] = field(default_factory=dict)
    hosts: dict[str, None] = field(default_factory=dict)
    said: dict[tuple[str, str], None] = field(default_factory=dict)
    unknown: dict[SimpleCommand, tuple[tuple[int, str], ...]] = field(default_factory=dict)
    arguments: bool = False  # of a function, that it opens or hands on
    handed: set[str] = field(default_factory=set)  # names that hold one of them
    evaluates: bool = False  # arithmetic, or a name taken from a variable
    literal: bool = False  # a quoted command substitution that a variable may come to hold
    rereads: bool = False  # a value that is not known is given to what may be an array
    compound: bool = False  # such a literal in brackets, as the value of an array is written
    latent: bool = False  # both in one place: no doubt left
    hidden: bool = False
    problem: str | None = None

    def command(self, command: SimpleCommand, *, once: bool = False) -> None:
        """once: the same command in the next round of a loop says nothing new."""
        if once and command in self.seen:
            return
        self.seen |= {command} if once else set()
        if len(self.commands) >= COMMANDS:
            raise TooMuch(f"there are more than {COMMANDS} commands")
        self.commands.append(command)

    def take(self, other: "Notes") -> None:
        """All that others found, as if it had been found here."""
        for command in other.commands:
            self.command(command)
        self.functions |= other.functions
        self.aliases |= other.aliases
        self.pipe_to_shell |= other.pipe_to_shell
        self.hosts |= other.hosts
        self.said |= other.said
        self.unknown |= other.unknown
        self.inline_code |= other.inline_code
        self.evaluates |= other.evaluates
        self.literal |= other.literal
        self.rereads |= other.rereads
        self.compound |= other.compound
        self.latent |= other.latent
        self.hidden |= other.hidden
        self.problem = self.problem or other.problem

    def quotes(self, words: Iterable[Word]) -> None:
        """Words of which a variable may come to hold the text."""
        for word in words:
            self.literal |= word.latent
            self.compound |= word.latent and _COMPOUND.search(word.begins) is not None

    def _is_latent(self) -> bool:
        return self.latent or (self.evaluates and self.literal) or (self.rereads and self.compound)

    def inline(self, interpreter: str, code: str | None) -> None:
        self.inline_code[InlineCode(interpreter, code)] = None

    def say(self, variable: str, text: str) -> None:
        """A text that a variable is given: only names worth guarding are kept, and the sign of a pipe."""
        if text == "|" or guarded(text):
            self.said["@" if variable.isdecimal() or variable in _ARGUMENTS else variable, text] = None

    def trouble(self, reason: str) -> None:
        """Something was not read exactly. The first reason is the one people see."""
        self.problem = self.problem or reason

    def _trouble_of_aliases(self) -> None:
        """An alias is text put in place of a word before bash looks for commands: it may change all that follows."""
        used = [name for name in self.aliases if name in _RESERVED or any(_named(one, name) for one in self.commands)]
        if used:
            self.trouble(f"the alias {used[0]} is used, so what follows it is not read as bash reads it")

    def reading(self) -> Reading:
        self._trouble_of_aliases()
        return Reading(
            tuple(self.commands),
            ScriptFacts(
                functions=tuple(self.functions),
                aliases=tuple(self.aliases),
                inline_code=tuple(self.inline_code),
                pipe_to_shell=tuple(self.pipe_to_shell),
                hosts=tuple(self.hosts),
                latent_arithmetic=self._is_latent(),
                control_chars=self.hidden,
                parse_error=self.problem,
            ),
            tuple(self.said),
            tuple(self.unknown.items()) if self.said else (),
        )


def _named(command: SimpleCommand, alias: str) -> bool:
    return bool(command.argv) and command.argv[0] == alias
