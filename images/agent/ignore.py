"""Globs and .gitignore files: which names they mean. A pattern becomes one regular expression over a relative path.

Paths of folders end in a slash, so that a pattern for folders only is a pattern that ends in one.
"""

import re

MOST_RULES = 5000  # of one file; what follows is not looked at
_CLASSES = {"alpha": "a-zA-Z", "digit": "0-9", "alnum": "a-zA-Z0-9", "upper": "A-Z", "lower": "a-z", "space": r"\s"}
_NEVER = "(?!)"


def compile_glob(glob: str) -> "Glob":
    """What a tool was asked for: as in .gitignore, and {a,b} for either; a leading ! means all others."""
    negated = glob.startswith("!")
    pattern = glob[negated:]
    pattern += "**" if pattern.endswith("/") else ""
    return Glob(re.compile(_expression(pattern, braces=True), re.DOTALL), negated=negated)


class Glob:
    __slots__ = ("expression", "negated")

    def __init__(self, expression: re.Pattern[str], *, negated: bool) -> None:
        self.expression, self.negated = expression, negated

    def means(self, path: str) -> bool:
        return (self.expression.fullmatch(path) is not None) != self.negated


class Rules:
    """One .gitignore: `base` is its folder relative to where the walk began, "" or ending in a slash."""

    __slots__ = ("any", "base", "rules")

    def __init__(self, text: str, base: str) -> None:
        lines = [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n")[:MOST_RULES]]
        parsed = [rule for line in lines if (rule := _rule(line)) is not None]
        self.base = base
        self.rules = [(re.compile(expression, re.DOTALL), negated) for expression, negated in parsed]
        self.any = re.compile("|".join(f"(?:{expression})" for expression, _ in parsed) or _NEVER, re.DOTALL)

    def verdict(self, path: str) -> bool | None:
        """True where ignored, False where expressly not, None where it has nothing to say. The last rule that fits wins."""
        if not path.startswith(self.base):
            return None
        inner = path[len(self.base) :]
        if self.any.fullmatch(inner) is None:  # the usual case, in one step
            return None
        return next(not negated for expression, negated in reversed(self.rules) if expression.fullmatch(inner))


def ignored(path: str, stack: list[Rules]) -> bool:
    """By the nearest .gitignore that has something to say."""
    return next((said for rules in reversed(stack) if (said := rules.verdict(path)) is not None), False)


def _rule(line: str) -> tuple[str, bool] | None:
    line = re.sub(r"(?<!\\) +$", "", line) if line.endswith(" ") else line
    negated = line.startswith("!")
    pattern = line[negated:]
    if not pattern or (pattern.startswith("#") and not negated) or pattern == "/":
        return None
    return _expression(pattern, braces=False), negated


def _expression(pattern: str, *, braces: bool) -> str:
    """Anchored where it has a slash before its end, at any depth otherwise."""
    folders_only = pattern.endswith("/")
    body = pattern.removesuffix("/")
    anchored = "/" in body
    body = body.removeprefix("/")
    try:
        inner = _translate(body, braces=braces)
    except ValueError:
        return _NEVER
    return ("" if anchored else "(?:.*/)?") + inner + ("/" if folders_only else "/?")


def _translate(text: str, *, braces: bool) -> str:
    out, at, depth = "", 0, 0
    while at < len(text):
        char = text[at]
        if char == "*":
            piece, at = _stars(text, at)
            out += piece
            continue
        if char == "[":
            piece, at = _class(text, at)
            out += piece
            continue
        if char == "\\":
            at += 1
            out += re.escape(text[at : at + 1] or _unclosed())
        elif char == "?":
            out += "[^/]"
        elif braces and char == "{" and "}" in text[at:]:
            out, depth = out + "(?:", depth + 1
        elif depth and char == ",":
            out += "|"
        elif depth and char == "}":
            out, depth = out + ")", depth - 1
        else:
            out += re.escape(char)
        at += 1
    return out if not depth else _unclosed()


def _unclosed() -> str:
    raise ValueError("an unfinished pattern means nothing")


def _stars(text: str, at: int) -> tuple[str, int]:
    """`**` between slashes is any folders; every other run of stars stays within one name."""
    end = at
    while text[end : end + 1] == "*":
        end += 1
    begins, ends = at == 0 or text[at - 1] == "/", text[end : end + 1] in ("", "/")
    if end - at == 2 and begins and ends:
        return ("(?:.*/)?", end + 1) if end < len(text) else (".+", end)
    return "[^/]+" if begins and ends else "[^/]*", end  # no name is empty


def _class(text: str, at: int) -> tuple[str, int]:
    """A bracket expression, as fnmatch has them; it never stands for a slash."""
    at += 1
    negated = text[at : at + 1] in ("!", "^")
    at += negated
    out, first = "", True
    while first or text[at : at + 1] != "]":
        char = text[at : at + 1] or _unclosed()
        named = re.match(r"\[:([a-z]+):\]", text[at:])
        if named and named[1] in _CLASSES:
            out, at = out + _CLASSES[named[1]], at + len(named[0])
        else:
            at += char == "\\"
            char = text[at : at + 1] or _unclosed()
            out += char if char == "-" and not first and text[at + 1 : at + 2] != "]" else re.escape(char)
            at += 1
        first = False
    return f"(?!/)[{'^' if negated else ''}{out}]", at + 1
