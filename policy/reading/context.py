"""Everything around a command that is not in its words: what led to it, where its input comes from, whose paths it sees."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

DEPTH = 24  # sudo env sudo env ...


@dataclass(frozen=True, slots=True)
class Input:
    """What a descriptor reads: the call's own input, a pipe, a text in the script (None if dynamic), or a file."""

    kind: Literal["call", "pipe", "text", "file"]
    text: str | None = None


FROM_CALL, FROM_PIPE, FROM_FILE = Input("call"), Input("pipe"), Input("file")


@dataclass(frozen=True, slots=True)
class Context:
    """home: None where it is another one's or unknown. span: set inside nested texts, whose offsets mean nothing."""

    home: str | None
    pwd: bool = True  # $PWD can be trusted to be the current directory
    via: tuple[str, ...] = ()
    inputs: Mapping[int, Input] = field(default_factory=dict)
    elsewhere: bool = False
    span: tuple[int, int] | None = None
    depth: int = 0
    plain_sh: bool = False  # what runs the text is no bash

    def through(self, via: str) -> "Context":
        return replace(self, via=(*self.via, via))

    def reading(self, inputs: Mapping[int, Input]) -> "Context":
        return self if inputs is self.inputs else replace(self, inputs=inputs)

    def piped(self, printed: str | None = None) -> "Context":
        """Behind a pipe; printed: what comes out of it, where that is known."""
        source = FROM_PIPE if printed is None else Input("text", f"{printed}\n")
        return replace(self, inputs={**self.inputs, 0: source})

    def inside(self, via: str, *, elsewhere: bool, span: tuple[int, int]) -> "Context":
        """What an inner command sees; another user's home is not ours."""
        other = elsewhere or via.partition(" ")[0] in _OTHER_USERS
        return replace(
            self,
            via=(*self.via, via),
            home=None if other else self.home,
            elsewhere=self.elsewhere or elsewhere,
            span=span,
            depth=self.depth + 1,
        )


_OTHER_USERS = frozenset(("sudo", "doas", "su", "runuser", "pkexec", "gosu", "su-exec", "chpst", "setuidgid"))
