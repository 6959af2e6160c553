"""What is refused before a parser sees it, and how much reading one call may cost.

The parser is a process with limits of its own; these make the common bombs cheap. A brace 3,000 deep is 6 KB of text,
8 seconds and 1.9 GB in shfmt. Quoted here-documents are data, so their bodies do not count as nesting.
"""

import re

TEXT_BYTES = 32 * 1024
BRACKET_DEPTH = 40
COMPOUND_KEYWORDS = 200
NESTED_TEXTS = 64  # sh -c inside sh -c, eval, trap ...: each costs a parser process
COMMANDS = 2_000
AGAIN = 4  # units of the budget for each word of a command that another runs: all rules look at it once more
PASSES = 12  # a text that is found inside another is read in the next pass
REPAIRS = 8  # comments that end in a backslash: all are found at once, unless one hid another
ITEMS = 8  # a loop over at most so many static words is read once for each
ROUNDS = 64  # such readings of loops' bodies in one pass
BRACE_WORDS = 512  # {a,b}{a,b}... doubles with every pair

_BRACKETS = {"(": 1, ")": -1, "{": 1, "}": -1, "[": 1, "]": -1}
_PAIRS = ("()", "{}", "[]")
_QUOTED_HEREDOC = re.compile(r"<<-?[ \t]*(['\"\\])([\w.-]+)['\"]?[^\n]*\n(?:.*\n)*?\t*\2(?=\n|$|\))")
_KEYWORD = re.compile(
    r"(?:^|[;&|({`\n]|\b(?:then|do|else|if|while|until|elif))[ \t]*(?:if|for|while|until|case|select)\b"
)

# C0 without tab and newline, DEL, C1, soft hyphen, zero width, bidi marks and overrides, separators, BOM, tag characters.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def hides_characters(text: str) -> bool:
    """Control, bidi or zero-width characters: what a person approves is not what bash reads."""
    return _HIDDEN.search(text) is not None


def refusal(text: str) -> str | None:
    """Why this text is not even parsed; None if it may be."""
    if "\0" in text:
        return "the text contains a NUL character"
    if len(text) > TEXT_BYTES or len(text.encode("utf-8", "surrogatepass")) > TEXT_BYTES:
        return f"the text is longer than {TEXT_BYTES} bytes"
    code = _QUOTED_HEREDOC.sub("", text) if "<<" in text else text
    if any(_depth(code, pair) > BRACKET_DEPTH for pair in _PAIRS):
        return f"brackets are nested deeper than {BRACKET_DEPTH}"
    if len(_KEYWORD.findall(code)) > COMPOUND_KEYWORDS:
        return f"there are more than {COMPOUND_KEYWORDS} compound commands"
    return None


def _depth(text: str, pair: str) -> int:
    """The deepest nesting of one kind; each kind alone, or `{ case x in x)` would cancel itself out."""
    if text.count(pair[0]) <= BRACKET_DEPTH:
        return 0
    deepest = depth = 0
    for character in text:
        if character in pair:
            depth = max(0, depth + _BRACKETS[character])
            deepest = max(deepest, depth)
    return deepest
