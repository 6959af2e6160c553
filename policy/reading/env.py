"""env, whose -S turns one word into options, assignments and a command."""

import re

from policy.reading.effect import UNCHANGED, Call, Effects, Run
from policy.reading.options import Grammar, Parsed, parse
from policy.reading.piece import Word, static
from policy.reading.prefixes import assigned

_OPTIONS = Grammar(short="uCaS", long=("unset", "chdir", "argv0", "split-string"))
_TOKEN = re.compile(r"'([^']*)'|\"((?:\\.|[^\"\\])*)\"|\\(.)|(\s+)|([^\s'\"\\]+)|(.)", re.DOTALL)
_UNREADABLE = (Word(None, "param"),)


def run(call: Call) -> Effects:
    """The command behind env's options and assignments."""
    parsed = _parsed(call.operands)
    words, assigns = assigned(parsed.operands)
    cwd = parsed.value("-C", "--chdir") or UNCHANGED
    return (Run(words, "env", cwd, assigns),) if words else ()


def _parsed(words: tuple[Word, ...], rounds: int = 4) -> Parsed:
    """Options up to the command, every -S text put in its place; a lone dash is -i."""
    parsed = parse(words, _OPTIONS)
    texts = parsed.values("-S", "--split-string")
    inner = (split_string(texts[0].text) if texts else ()) + parsed.operands
    dash = bool(inner) and inner[0].text == "-"
    if not (texts or dash) or not rounds:
        return parsed
    again = _parsed(inner[1:] if dash else inner, rounds - 1)
    again.options = parsed.options + again.options
    return again


def split_string(text: str | None) -> tuple[Word, ...]:
    """What env -S makes of one string: quotes, escapes, and ${NAME}, which is dynamic."""
    if text is None:
        return _UNREADABLE
    words: list[str] = []
    current: str | None = None
    for token in _TOKEN.finditer(text):
        single, double, escaped, space, bare, broken = token.groups()
        if broken:
            return _UNREADABLE
        if escaped == "c" or (bare and bare.startswith("#") and current is None):
            break
        if space or (escaped and escaped in "_tnvfr"):
            words, current = _ended(words, current), None
        else:
            kept = next(part for part in (single, double, escaped, bare) if part is not None)
            current = (current or "") + (re.sub(r"\\(.)", r"\1", kept) if double is not None else kept)
    return tuple(_word(word) for word in _ended(words, current))


def _ended(words: list[str], current: str | None) -> list[str]:
    return words if current is None else [*words, current]


def _word(text: str) -> Word:
    return Word(None, "param", text.partition("$")[0]) if "${" in text else static(text)
