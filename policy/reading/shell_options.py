"""Options of the shell that change how it reads or runs what follows."""

from policy.reading.effect import Call
from policy.reading.piece import Word

# history: words that begin with ! stand for others; keyword: x=1 is no argument; braceexpand off: {a,b} is one word.
_REREADING = frozenset(("history", "histexpand", "keyword", "braceexpand"))
_AT_START = _REREADING | {"cdable_vars"}
WITH_VALUE = ("--rcfile", "--init-file", "--init-command", "-C", "--command-file")  # of the shells we know


def rereads(call: Call) -> bool:
    """Whether words are no longer what they look like."""
    if call.name == "shopt":
        return any(word.text in _REREADING for word in call.operands)
    return call.name == "set" and rereading(call.operands)


def rereading(words: tuple[Word, ...]) -> bool:
    """The same of options as set takes them, and as a shell takes them when it starts."""
    index = 0
    while index < len(words):
        text = words[index].text or ""
        if text == "--" or text[:1] not in ("-", "+"):
            return False
        letters = "" if text.startswith("--") else text[1:]
        values = (text in WITH_VALUE) + letters.count("o") + letters.count("O")
        named = {word.text for word in words[index + 1 : index + 1 + values]}
        if "k" in letters or (text[0] == "+" and "B" in letters) or named & _AT_START:
            return True
        index += 1 + values
    return False


def searches(call: Call) -> bool:
    """`cd x` goes where the variable x says."""
    return call.name == "shopt" and any(word.text == "cdable_vars" for word in call.operands)


def keeps_last(call: Call) -> bool:
    """The last command of a pipeline may run in this shell."""
    return call.name == "shopt" and any(word.text in ("lastpipe", None) for word in call.operands)
