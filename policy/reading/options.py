"""Options told from operands, the way getopt does it: clusters, attached values, `--`, abbreviated long names."""

from dataclasses import dataclass, field

from policy.reading.piece import Word, static


@dataclass(frozen=True, slots=True)
class Grammar:
    """Which options take a value. short: letters; attached: letters whose value can only be attached.

    long: names without dashes, also matched by their unambiguous beginnings. single_dash: `-name value`, as find and
    docker's siblings do. permute: options may follow operands.
    """

    short: str = ""
    attached: str = ""
    long: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()  # long names without a value, where an abbreviation could mean both
    permute: bool = False
    single_dash: bool = False

    def takes(self, name: str) -> bool:
        return name in self.long or (
            name not in self.flags and len(name) > 1 and any(long.startswith(name) for long in self.long)
        )


NO_OPTIONS = Grammar()


@dataclass(slots=True)
class Parsed:
    """Options in order, as ("-c", word) or ("--chdir", word); None for an option without a value."""

    options: list[tuple[str, Word | None]] = field(default_factory=list)
    operands: tuple[Word, ...] = ()

    def value(self, *names: str) -> Word | None:
        """The last value given under any of these names."""
        return next((word for name, word in reversed(self.options) if word and matches(name, names)), None)

    def values(self, *names: str) -> list[Word]:
        return [word for name, word in self.options if word and matches(name, names)]

    def has(self, *names: str) -> bool:
        return any(matches(name, names) for name, _ in self.options)


def matches(given: str, names: tuple[str, ...]) -> bool:
    """Whether an option as it was written is one of these; long ones may be abbreviated."""
    shortest_abbreviation = 4
    return given in names or (
        given.startswith("--") and len(given) >= shortest_abbreviation and any(name.startswith(given) for name in names)
    )


def parse(words: tuple[Word, ...], grammar: Grammar) -> Parsed:
    """Read options; without `permute` everything from the first operand on belongs to the operands."""
    parsed, operands, index = Parsed(), list[Word](), 0
    while index < len(words):
        text = words[index].begins
        if words[index].text == "--":
            operands += words[index + 1 :]
            break
        if not text.startswith("-") or text == "-":
            if not grammar.permute:
                operands += words[index:]
                break
            operands.append(words[index])
            index += 1
            continue
        index += 1 + _option(words, index, grammar, parsed)
    parsed.operands = tuple(operands)
    return parsed


def _option(words: tuple[Word, ...], index: int, grammar: Grammar, parsed: Parsed) -> int:
    """Take one option word; the number of further words it used up."""
    text = words[index].begins
    if text.startswith("--") or grammar.single_dash:
        return _long(words, index, grammar, parsed)
    for position, letter in enumerate(text[1:], start=1):
        if letter in grammar.short:
            return _valued(words, index, parsed, "-" + letter, position + 1)
        if letter in grammar.attached:
            parsed.options.append(("-" + letter, _rest(words[index], position + 1)))
            return 0
        parsed.options.append(("-" + letter, None))
    return 0


def _long(words: tuple[Word, ...], index: int, grammar: Grammar, parsed: Parsed) -> int:
    name, equals, _ = words[index].begins.partition("=")
    if equals:
        parsed.options.append((name, _rest(words[index], len(name) + 1)))
        return 0
    if grammar.takes(name.lstrip("-")):
        return _valued(words, index, parsed, name, len(words[index].begins))
    parsed.options.append((name, None))
    return 0


def _valued(words: tuple[Word, ...], index: int, parsed: Parsed, name: str, position: int) -> int:
    """The value is what follows in the word, or else the next word."""
    word = words[index]
    if word.text is None or position < len(word.begins):
        parsed.options.append((name, _rest(word, position)))
        return 0
    following = words[index + 1] if index + 1 < len(words) else None
    parsed.options.append((name, following))
    return 1


def _rest(word: Word, position: int) -> Word:
    if word.text is not None:
        return static(word.text[position:])
    return Word(None, word.reason, word.known[position:], word.latent)
