"""Builtins of bash that run text, move the shell, or set and evaluate variables."""

import re
from itertools import pairwise

from policy.reading.assignment import appended, prepended
from policy.reading.effect import (
    Call,
    ChangeDirectory,
    DefineAlias,
    Effect,
    Effects,
    Evaluate,
    Expand,
    Jump,
    Leave,
    Meaning,
    Run,
    RunScript,
    SetVariable,
    TakeName,
    joined,
)
from policy.reading.options import Grammar, parse
from policy.reading.piece import Word, static
from policy.reading.shells import from_descriptor

_NAME = re.compile(r"[A-Za-z_]\w*")
_COMPOUND = re.compile(r"\s*\(")  # where the name is an array, bash expands what stands between the brackets


def cd(call: Call) -> Effects:
    operands = parse(call.operands, Grammar()).operands
    if operands and operands[0].text == "-":
        return (ChangeDirectory(None, "back"),)
    return (ChangeDirectory(operands[0] if operands else Word("~")),)


def pushd(call: Call) -> Effects:
    operands = [word for word in call.operands if word.text not in ("-n", "--")]
    turns = not operands or operands[0].begins.startswith(("+", "-"))
    return (ChangeDirectory(None if turns else operands[0], "pushd"),)


def popd(call: Call) -> Effects:
    return (ChangeDirectory(None, "pushd" if call.operands else "popd"),)


def evaluate(call: Call) -> Effects:
    """eval: the words joined are read by this very shell."""
    words = call.operands[1:] if call.operands and call.operands[0].text == "--" else call.operands
    return (RunScript(joined(words), "sh", "eval", here=True),) if words else ()


def trap(call: Call) -> Effects:
    words = call.operands[1:] if call.operands and call.operands[0].text == "--" else call.operands
    if len(words) <= 1 or words[0].text in ("-", "", "-l", "-p"):
        return ()
    last = all(word.text in ("EXIT", "0") for word in words[1:])  # nothing comes after that one
    return (RunScript(words[0].code, "bash", "trap", later=True, here=not last),)


def source(call: Call) -> Effects:
    """A file of the sandbox is code it already holds; a descriptor is text nobody has seen."""
    words = call.operands[1:] if call.operands and call.operands[0].text == "--" else call.operands
    return from_descriptor("source", words[0], here=True) if words else ()


def alias(call: Call) -> Effects:
    pairs = [word for word in call.operands if "=" in word.begins]
    return tuple(
        DefineAlias(word.begins.partition("=")[0], word.text.partition("=")[2] if word.text is not None else None)
        for word in pairs
    )


def declare(call: Call) -> Effects:
    """export, declare, typeset, readonly, local: each NAME=value.

    -i evaluates the value, and all that the name is given later; -n takes it for a name; of an array it is read again.
    """
    flags = "".join(word.begins[1:] for word in call.operands if word.begins.startswith("-"))
    effects = list[Effect]()
    for word in call.operands:
        if word.begins.startswith(("-", "+")) or not word.begins:
            effects += [TakeName(word)] if word.text is None and not word.begins else []
            continue
        name, equals, value = word.begins.partition("=")
        template = word.template.partition("=")[2]
        held = (
            static(value) if word.text is not None else Word(None, word.reason, value, word.latent, template=template)
        )
        effects += [TakeName(static(name))] if "[" in name else []
        plain = name.rstrip("+").partition("[")[0]
        changed = (appended(plain, held), prepended(plain, held))
        effects += [SetVariable(plain, held.text, *changed)] if equals else []
        if equals and held.text is not None and _COMPOUND.match(value):
            effects += [RunScript(f"x={value}", "bash", call.name, lenient=True)]
        elif equals and (word.about or _COMPOUND.match(value)):
            effects += [Expand(None), *([Evaluate(held)] if value else [])]
        effects += [Evaluate(static(plain))] if "i" in flags else []
        effects += [TakeName(held)] if equals and "n" in flags else []
        effects += [SetVariable(value)] if equals and "n" in flags and _NAME.fullmatch(value) else []  # by its new name
    return tuple(effects)


def names(call: Call) -> Effects:
    """read, mapfile, getopts, unset, wait -p ...: words are names of variables, subscripts and all."""
    grammar = _NAMING[call.name]
    parsed = parse(call.operands, grammar)
    named = parsed.values("-a", "-v", "-p") if call.name in ("read", "wait") else []
    words = (*parsed.operands, *named)
    sets = tuple(SetVariable(word.text) for word in words if word.text and _NAME.fullmatch(word.text))
    callback = parsed.value("-C") if call.name in ("mapfile", "readarray") else None
    runs = (RunScript(_with_tail(callback), "bash", f"{call.name} -C"),) if callback else ()
    return (*(TakeName(word) for word in words), *(() if call.name == "unset" else sets), *runs)


_NAMING = {
    "read": Grammar(short="adinNptu"),
    "mapfile": Grammar(short="dnOsucC"),
    "readarray": Grammar(short="dnOsucC"),
    "getopts": Grammar(),
    "unset": Grammar(),
    "wait": Grammar(short="p"),
}


def _with_tail(word: Word) -> str | None:
    return None if word.text is None else f'{word.text} "$@"'


def printf(call: Call) -> Effects:
    parsed = parse(call.operands, Grammar(short="v"))
    name = parsed.value("-v")
    if name is None:
        return ()
    text = name.text or ""
    return (TakeName(name), *((SetVariable(text),) if _NAME.fullmatch(text) else ()))


def test(call: Call) -> Effects:
    """`[ -v NAME ]` evaluates a subscript in NAME."""
    pairs = pairwise(call.words)
    return tuple(TakeName(word) for before, word in pairs if before.text in ("-v", "-R"))


def let(call: Call) -> Effects:
    return tuple(Evaluate(word) for word in call.operands)


def leave(_: Call) -> Effects:
    return (Leave(),)


def jump(_: Call) -> Effects:
    return (Jump(),)


def give_back(_: Call) -> Effects:
    return (Jump(function=True),)


def jobs(call: Call) -> Effects:
    """jobs -x runs a command, with the numbers of processes for the names of jobs."""
    words = call.operands
    return (Run(words[1:], "jobs -x"),) if words[1:] and "x" in words[0].begins.removeprefix("-") else ()


def complete(call: Call) -> Effects:
    """compgen -W expands its words, -C runs a command."""
    parsed = parse(call.operands, Grammar(short="oAGWFCXPS"))
    expands = tuple(each for word in parsed.values("-W") for each in (Expand(word.text), TakeName(word)))
    return (*expands, *(RunScript(_with_tail(word), "bash", f"{call.name} -C") for word in parsed.values("-C")))


def bind(call: Call) -> Effects:
    """bind -x '"key": command'."""
    texts = parse(call.operands, Grammar(short="fqrumx")).values("-x")
    return tuple(
        RunScript(None if word.text is None else word.text.partition(":")[2], "bash", "bind -x", later=True)
        for word in texts
    )


BUILTINS: dict[str, Meaning] = {
    ".": source,
    "[": test,
    "alias": alias,
    "bind": bind,
    "break": jump,
    "cd": cd,
    "chdir": cd,
    "compgen": complete,
    "complete": complete,
    "continue": jump,
    "declare": declare,
    "eval": evaluate,
    "exit": leave,
    "export": declare,
    "getopts": names,
    "jobs": jobs,
    "let": let,
    "local": declare,
    "mapfile": names,
    "popd": popd,
    "printf": printf,
    "pushd": pushd,
    "read": names,
    "readarray": names,
    "readonly": declare,
    "return": give_back,
    "source": source,
    "test": test,
    "trap": trap,
    "typeset": declare,
    "unset": names,
    "wait": names,
}
