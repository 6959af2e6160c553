"""What a word is made of before bash expands it, and what it is afterwards."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of a word. `reason` says why it is only known at run time, "" if it is static. breaks: a word ends here.

    name: the variable that stands here and nothing else, "" for none. digits: it holds nothing but those. about: the
    variable that an expansion of any kind starts from.
    """

    text: str
    quoted: bool = False
    reason: str = ""
    breaks: bool = False
    name: str = ""
    digits: bool = False
    about: str = ""

    @property
    def plain(self) -> bool:
        """Outside quotes and static: braces, globs and tildes in it mean something."""
        return not (self.quoted or self.reason or self.breaks)


BREAK = Piece("", breaks=True)


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command. text is None where it is dynamic, for that `reason`.

    known: of a glob the pattern, of any other dynamic word the text it begins with. latent: the text holds a quoted
    command substitution, which runs if bash ever takes the text for arithmetic. splits: it may become several words.
    template: of a dynamic word the whole text with ${NAME} where plain variables stand, "" where more than those do.
    ends: of a dynamic word that is no glob the text it ends with. counted: the whole text of a dynamic word of which
    nothing but digits is unknown, with a 1 for each number. about: the variable that its first expansion starts from.
    """

    text: str | None
    reason: str = ""
    known: str = ""
    latent: bool = False
    splits: bool = False
    template: str = ""
    ends: str = ""
    counted: str = ""
    about: str = ""

    @property
    def begins(self) -> str:
        """The text as far as it is known."""
        return self.known if self.text is None else self.text

    @property
    def code(self) -> str | None:
        """As a program's text, in which one number does what another does. None if it is not known."""
        return self.counted or None if self.text is None else self.text


def static(text: str) -> Word:
    return Word(text, latent=is_latent(text))


def is_latent(text: str) -> bool:
    return "$(" in text or "`" in text


FILLED_IN = Word(None, "input", splits=True)  # words that xargs or parallel fill in at run time
FOUND = Word(None, "input")  # one path that find fills in; it starts with a path find was given, so it is no option
