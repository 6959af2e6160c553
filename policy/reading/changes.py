"""What a command leaves of what was known of the shell's variables."""

import re
from collections.abc import Callable, Container

from policy.reading.effect import Call, Effects, Evaluate, SetVariable, TakeName
from policy.reading.piece import Word
from policy.reading.variables import NUMBER, POSITIONAL, UNSET, Held, Variables

type Change = Callable[[Variables], Variables]

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL | re.ASCII)
# Text that is not read runs in this shell, now or later, or builtins and aliases are put in the place of others.
_LOSING = frozenset((
    ".", "alias", "bind", "compgen", "complete", "enable", "fc", "mapfile", "readarray", "source", "trap",
))  # fmt: skip
_DECLARES = frozenset(("declare", "export", "local", "readonly", "typeset"))
# Commands that run others in this shell, and those after which posix mode keeps what was assigned before them.
SEES_ASSIGNMENTS = frozenset((
    ".", ":", "break", "builtin", "command", "continue", "eval", "exec", "exit", "export", "readonly", "return", "set",
    "shift", "source", "time", "times", "trap", "unset",
))  # fmt: skip
_HARMLESS = frozenset("fFgprx")  # of declare: an attribute that leaves assignments what they are
_ARRAYS = frozenset("aA")


def change(call: Call, found: Effects, functions: Container[str], *, wild: bool, inside: bool) -> Change:
    """wild: some function may do more than change variables. inside: this is the body of a function."""
    name = call.name
    if not name and call.words:  # it may be anything, eval included
        return Variables.gone
    if name in functions:
        return Variables.gone if wild else Variables.blank
    if _loses(call):
        return Variables.gone
    if name in _DECLARES and (inside or name != "local"):  # outside a function, local does nothing
        return lambda now: _declared(call, now)
    own = _OWN.get(name)
    return lambda now: own(call, _effects(found, now)) if own else _effects(found, now)


def setting(name: str, held: Held | None) -> Change:
    """An assignment; None if nobody knows of what."""
    return lambda now: now.set(name, held)


def keeping(name: str, text: str) -> Change:
    """An assignment of what mktemp made, to a name that nothing else writes."""
    return lambda now: now.keep(name, text)


def dropping(name: str) -> Change:
    """An assignment of which something may remain, or not."""
    return lambda now: now.without((name,))


def _loses(call: Call) -> bool:
    if call.name == "alias":
        return any("=" in word.begins or word.text is None for word in call.operands)
    if call.name == "trap":
        last = all(word.text in ("EXIT", "0") for word in call.operands[1:])  # nothing comes after that one
        return len(call.operands) > 1 and not last and call.operands[0].text not in ("-", "", "-p", "-l")
    if call.name == "shopt":
        return any(word.text is None or word.text.startswith(("compat", "xpg_echo")) for word in call.operands)
    return call.name in _LOSING


def _effects(found: Effects, now: Variables) -> Variables:
    for effect in found:
        match effect:
            case SetVariable(name):
                now = now.set(name, None)
            case TakeName(word) if word.text and _NAME.fullmatch(word.text):
                now = now.set(word.text, None)
            case TakeName() | Evaluate():  # arithmetic, and it may assign
                now = now.blank()
            case _:
                pass
    return now


def _declared(call: Call, now: Variables) -> Variables:
    if any(word.text is None and not _ASSIGNMENT.match(word.begins) for word in call.operands):
        return now.gone()  # an option or a name, nobody knows which
    flags = {letter for word in call.operands if word.begins.startswith(("-", "+")) for letter in word.begins[1:]}
    if flags - _HARMLESS - _ARRAYS:
        return now.gone()
    for word in call.operands:
        if not word.begins.startswith(("-", "+")):
            now = _declare(call.name, flags, word, now)
    return now


def _declare(builtin: str, flags: set[str], word: Word, now: Variables) -> Variables:
    found = _ASSIGNMENT.fullmatch(word.begins)
    name = found[1] if found else word.begins.partition("=")[0].rstrip("+").partition("[")[0]
    if word.counted == f"{name}=1":
        now = now.set(name, NUMBER)
    elif found:
        now = now.set(name, None if word.text is None or flags & _ARRAYS else found[2])
    elif "=" in word.begins or "[" in word.begins:
        now = now.blank()  # a subscript, or something added to what was there
    elif builtin not in ("export", "readonly") and "p" not in flags:
        now = now.without((name,))
    return now.fix(name) if builtin == "readonly" or flags & {"r", "A"} else now


def _unset(call: Call, now: Variables) -> Variables:
    named = all(word.text and _NAME.fullmatch(word.text) for word in call.operands if word.text != "-v")
    if not named:
        return now.blank()
    for word in call.operands:
        now = now.set(word.begins, UNSET) if word.text != "-v" else now
    return now


def _set(call: Call, now: Variables) -> Variables:
    """`set -- a b` gives the script arguments; options alone leave them."""
    texts = [word.text for word in call.operands]
    if "--" in texts[:1]:
        return now.set(POSITIONAL, _all(texts[1:]))
    options = all(text and text.startswith(("-", "+")) and len(text) > 1 for text in texts)
    named = len(texts) == len(("-o", "name")) and texts[0] in ("-o", "+o")
    return now if options or named else now.without((POSITIONAL,))


def _all(texts: list[str | None]) -> Held | None:
    return None if None in texts else tuple(text for text in texts if text is not None)


def _shift(call: Call, now: Variables) -> Variables:
    held = now.get(POSITIONAL)
    known = isinstance(held, tuple) and not call.operands
    return now.set(POSITIONAL, held[1:] if known and isinstance(held, tuple) else None)


_OWN: dict[str, Callable[[Call, Variables], Variables]] = {"set": _set, "shift": _shift, "unset": _unset}
