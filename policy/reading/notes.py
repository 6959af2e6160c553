"""What one reading has found so far. Mutable on purpose: it lives for one pass and ends as a Reading."""

from dataclasses import dataclass, field

from policy.command import InlineCode, Reading, ScriptFacts, SimpleCommand
from policy.reading.bounds import COMMANDS


@dataclass(slots=True)
class Notes:
    commands: list[SimpleCommand] = field(default_factory=list)
    functions: dict[str, None] = field(default_factory=dict)
    aliases: dict[str, None] = field(default_factory=dict)
    inline_code: dict[InlineCode, None] = field(default_factory=dict)
    pipe_to_shell: dict[str, None] = field(default_factory=dict)
    hosts: dict[str, None] = field(default_factory=dict)
    evaluates: bool = False  # arithmetic, or a name taken from a variable
    literal: bool = False  # a quoted command substitution that a variable may come to hold
    latent: bool = False  # both in one place: no doubt left
    hidden: bool = False
    problem: str | None = None

    def command(self, command: SimpleCommand) -> None:
        if len(self.commands) >= COMMANDS:
            self.trouble(f"there are more than {COMMANDS} commands")
        else:
            self.commands.append(command)

    def inline(self, interpreter: str, code: str | None) -> None:
        self.inline_code[InlineCode(interpreter, code)] = None

    def trouble(self, reason: str) -> None:
        """Something was not read exactly. The first reason is the one people see."""
        self.problem = self.problem or reason

    def reading(self) -> Reading:
        return Reading(
            tuple(self.commands),
            ScriptFacts(
                functions=tuple(self.functions),
                aliases=tuple(self.aliases),
                inline_code=tuple(self.inline_code),
                pipe_to_shell=tuple(self.pipe_to_shell),
                hosts=tuple(self.hosts),
                latent_arithmetic=self.latent or (self.evaluates and self.literal),
                control_chars=self.hidden,
                parse_error=self.problem,
            ),
        )
