"""A sed script read far enough to know what it runs (e, s///e) and which files it reads and writes (r, w, s///w)."""

import re
from dataclasses import dataclass, field

from policy.reading.effect import Call, Effects, RunInline, RunScript
from policy.reading.options import Grammar, Parsed, parse
from policy.reading.piece import Word

OPTIONS = Grammar(
    short="efl", attached="i", long=("expression", "file", "line-length"), flags=("follow-symlinks",), permute=True
)
_SPACE = re.compile(r"[\s;}]*")
_ADDRESS = re.compile(
    r"(?:\d+(?:~\d+)?|\$|/(?:\\.|\[[^\]\n]*\]|[^/\\\n])*/[IM]*|\\(.)(?:\\.|(?!\1).)*\1[IM]*|[+~]\d+)[ \t]*", re.DOTALL
)
_LINE = re.compile(r"[^\n]*")
_LABEL = re.compile(r"[^\n;}]*")
_TEXT = re.compile(r"(?:\\.|[^\\\n])*", re.DOTALL)
_FLAGS = re.compile(r"[gpiImMe0-9]*")
_VARIABLE = re.compile(r"\$\{([A-Za-z_]\w*)\}", re.ASCII)
_NUMBER = re.compile(r"[ \t]*\d*")


@dataclass(slots=True)
class Script:
    """runs: texts for a shell, None where it is the input itself; unclear: it was not understood to its end."""

    runs: list[str | None] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    unclear: bool = False


def run(call: Call) -> Effects:
    """What the scripts of one sed command line execute."""
    effects: Effects = ()
    for word in scripts(parse(call.operands, OPTIONS)):
        if word.code is None:
            effects += (RunInline("sed", None, _outside(word.template)),)
            continue
        script = read(word.code)
        effects += tuple(RunScript(text, "sh", "sed e") for text in script.runs)
        effects += (RunInline("sed", word.text),) if script.unclear or _acts(word, script) else ()
    return effects


def _outside(template: str) -> frozenset[str]:
    """The variables of a script that only prints and changes, whatever text without a delimiter stands for them."""
    rest, filled = _VARIABLE.sub("", template), _VARIABLE.sub("1", template)
    script = read(filled)
    if (
        "${" in filled
        or script.unclear
        or script.runs
        or script.reads
        or script.writes
        or not re.search("[a-z=]", rest)
    ):
        return frozenset()
    return frozenset(_VARIABLE.findall(template))


def _acts(word: Word, script: Script) -> bool:
    """A script with numbers in it is seen by no rule, so it may only print and change."""
    return word.text is None and bool(script.runs or script.reads or script.writes)


def scripts(parsed: Parsed) -> list[Word]:
    """The words that are sed scripts: every -e, else the first operand."""
    if parsed.has("-e", "--expression", "-f", "--file"):
        return parsed.values("-e", "--expression")
    return list(parsed.operands[:1])


def read(text: str) -> Script:
    script, position = Script(), 0
    while position < len(text):
        position = _after(_SPACE, text, position)
        position = _addresses(text, position)
        if position < len(text):
            position = _command(text, position, script)
    return script


def _addresses(text: str, position: int) -> int:
    while position < len(text):
        found = _ADDRESS.match(text, position)
        if found is None and text[position] not in ",! \t":
            return position
        position = found.end() if found else position + 1
    return position


def _command(text: str, position: int, script: Script) -> int:
    letter, position = text[position], position + 1
    match letter:
        case "{" | "=" | "d" | "D" | "g" | "G" | "h" | "H" | "n" | "N" | "p" | "P" | "x" | "z" | "F":
            return position
        case "#":
            return _after(_LINE, text, position)
        case ":" | "b" | "t" | "T" | "v":
            return _after(_LABEL, text, position)
        case "a" | "i" | "c":
            return _after(_TEXT, text, position)
        case "l" | "L" | "q" | "Q":
            return _after(_NUMBER, text, position)
        case "r" | "R" | "w" | "W" | "e":
            end = _after(_LINE, text, position)
            _note(letter, text[position:end].strip(), script)
            return end
        case "s" | "y":
            return _substitution(text, position, script)
        case _:
            script.unclear = True
            return len(text)


def _note(letter: str, operand: str, script: Script) -> None:
    if letter == "e":
        script.runs.append(operand or None)
    elif operand:
        (script.writes if letter in "wW" else script.reads).append(operand)


def _substitution(text: str, position: int, script: Script) -> int:
    delimiter = text[position : position + 1]
    if delimiter in ("", "\n", "\\"):
        script.unclear = True
        return len(text)
    middle = _closing(text, delimiter, position + 1)
    end = _closing(text, delimiter, middle) if middle else None
    if end is None:
        script.unclear = True
        return len(text)
    position = end
    flags = _FLAGS.match(text, position)
    position = flags.end() if flags else position
    if flags and "e" in flags[0]:
        script.runs.append(None)
    if text[position : position + 1] == "w":
        end = _after(_LINE, text, position)
        _note("w", text[position + 1 : end].strip(), script)
        return end
    return position


def _closing(text: str, delimiter: str, position: int) -> int | None:
    """The index after the next unescaped delimiter."""
    while position < len(text):
        if text[position] == delimiter:
            return position + 1
        position += 2 if text[position] == "\\" else 1
    return None


def _after(pattern: re.Pattern[str], text: str, position: int) -> int:
    found = pattern.match(text, position)
    return found.end() if found else position
