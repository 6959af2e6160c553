"""Which words of a command are paths, and what it does with each: a table, particular programs, a guess for the rest."""

import re
from collections.abc import Iterable, Iterator

from policy.command import SimpleCommand
from policy.operand import Operand, beneath, hidden, of_options, pattern, suspected
from policy.particular import PARTICULAR, find_names
from policy.programs import PROGRAMS, Program
from policy.question import Op
from policy.reading.launchers import LAUNCHERS, SCRIPT
from policy.reading.options import Grammar, Parsed, parse
from policy.reading.piece import Word
from policy.reading.prefixes import PREFIXES
from policy.reading.remote import REMOTE
from policy.reading.shells import BASH_LIKE, INTERPRETERS, family

_SILENT = frozenset((
    "echo", "printf", "true", "false", ":", "test", "[", "export", "declare", "typeset", "local", "readonly", "read",
    "cd", "pushd", "popd", "set", "unset", "alias", "unalias", "trap", "eval", "exec", "exit", "return", "type", "which",
    "sleep", "kill", "env", "expr", "seq", "basename", "dirname", "tr", "let", "wait", "shift", "sudo",
))  # fmt: skip
_WITHOUT_PATHS = _SILENT | (LAUNCHERS.keys() - {"cmake", "perf", "sops"}) | REMOTE.keys()
_RECORDS = frozenset(("autogen.sh", "bootstrap", "bootstrap.sh", "config", "configure", "meson"))
_FILTERS = frozenset(("grep", "egrep", "fgrep", "rg", "fd", "fdfind"))  # what they look for is in the names they print
_LISTS = {
    "cpio": ("-o", "-p", "--create", "--pass-through"),
    "tar": ("-T", "--files-from"),
    "zip": ("-@",),
    "rsync": ("--files-from",),
}
_PRINTERS = frozenset(
    ("basename", "compgen", "echo", "locate", "ls", "readlink", "realpath")
)  # what they print is often xargs' input
_LIKE_NAME = re.compile(r"\.[a-z][\w.-]*|id_\w+")
_REMOTE_PATH = re.compile(r"[\w.@-]+:(?!/{2})")
_TARGET = ("-t", "--target-directory")
_IN_PLACE = ("perl", "ruby")
_UNPACKERS = ("zipfile", "tarfile")


def operands(command: SimpleCommand) -> Iterator[Operand]:
    """The words of one command that are paths, and what it does with each."""
    words, name = _words(command), command.name or ""
    if particular := PARTICULAR.get(name):
        yield from particular(words)
    elif (program := PROGRAMS.get(name)) is not None:
        yield from _tabled(words, program)
    elif name in BASH_LIKE or name in INTERPRETERS or family(name) in INTERPRETERS:
        yield from _script(words, name)
    elif name == "xargs":
        yield from of_options(
            parse(words, Grammar("aEILnPsd", "iel", ("arg-file",))), {"-a": "read", "--arg-file": "read"}
        )
    elif name == "script":
        yield from ((word, "write") for word in parse(words, SCRIPT).operands)
    elif prefix := PREFIXES.get(name):
        yield from _own(words, prefix.options)
    elif name not in _WITHOUT_PATHS:
        yield from suspected(_without_prefix(words) if name in _RECORDS else words)


def _own(words: tuple[Word, ...], grammar: Grammar) -> Iterator[Operand]:
    """What a program is told in front of the command that it runs: strace -o FILE, time -o FILE."""
    given = parse(words, grammar).options
    yield from suspected(tuple(each for name, word in given if word for each in (Word(name), word)))


def _without_prefix(words: tuple[Word, ...]) -> tuple[Word, ...]:
    """Where things are installed one day is written down by these; `make install` meets the kernel's rules."""
    pairs = zip((Word(""), *words), words, strict=False)
    return tuple(
        word for before, word in pairs if before.text != "--prefix" and not word.begins.startswith("--prefix=")
    )


def fed(command: SimpleCommand) -> Iterator[Word]:
    """The words that a command may print as names for xargs or find to fill in, patterns of names among them."""
    words = _words(command)
    if command.name == "find":
        yield from find_names(words)
    elif command.name == "printf":
        names = [name for word in words for name in re.split(r"\\[n0]|\s", word.text or "")]
        yield from (Word(name) for name in names if name)
    elif command.name in _FILTERS and not any(word.begins.startswith("-v") for word in words):
        sought = (re.sub(r"[\\^$*]", "", word.begins) for word in words)
        yield from (Word(name) for name in sought if _LIKE_NAME.fullmatch(name))
    elif command.name in _PRINTERS:
        yield from (word for word in words if word.reason in ("", "glob") and not word.begins.startswith("-"))


def fills_in(command: SimpleCommand, found: Iterable[Operand]) -> set[Op]:
    """What is done to the names that find or xargs fill in for a command's words, or that it takes from its input."""
    lists = _LISTS.get(command.name or "", ())
    taken: set[Op] = {"read"} if any(word is not None and word.startswith(lists) for word in command.argv) else set()
    return taken | {op for word, op in found if word.reason == "input"}


def reads_what_is_printed(found: Iterable[Operand]) -> bool:
    """Whether a path is read that another command may have printed: cat "$(find ...)", cat "$f" in a loop."""
    return any(op == "read" and word.reason in ("cmdsub", "param") for word, op in found)


def _words(command: SimpleCommand) -> tuple[Word, ...]:
    ends = command.ends or ("",) * len(command.argv)
    each = zip(command.argv, command.dynamic, command.known, ends, strict=False)
    return tuple(Word(text, reason, known, ends=end) for text, reason, known, end in each)[1:]


def _tabled(words: tuple[Word, ...], program: Program) -> Iterator[Operand]:
    parsed = parse(words, program.grammar)
    yield from of_options(parsed, program.options)
    for word in parsed.values(*program.globs):
        for one in (word, *(Word(name) for name in hidden(word.begins))):
            if (found := pattern(one)) is not None:
                yield found, "read"
    paths = parsed.operands if parsed.has(*program.instead) else parsed.operands[program.skip :]
    ends = program.last if len(paths) > 1 and not parsed.has(*_TARGET) else None
    usual: Op = "write" if parsed.has(*program.writes) else program.op
    for place, word in enumerate(paths):
        is_last, is_first = place == len(paths) - 1, place == 0
        op = (ends if is_last else None) or (program.first if is_first else None) or usual
        yield from _path(word, op)
        if program.shows and op != ends:
            yield from _path(word, "read")
    if program.into:
        yield from _landed(parsed, paths)


def _landed(parsed: Parsed, paths: tuple[Word, ...]) -> Iterator[Operand]:
    """Where each comes to lie if the target is a folder."""
    target = parsed.value(*_TARGET)
    *sources, folder = (*paths, target) if target else paths or (Word(""),)
    for source in sources:
        if (word := beneath(folder, source)) is not None:
            yield from _path(word, "write")


def _path(word: Word, op: Op) -> Iterator[Operand]:
    if not _REMOTE_PATH.match(word.begins):
        yield word, op


def _script(words: tuple[Word, ...], name: str) -> Iterator[Operand]:
    """A script file is read; program text and modules are not paths."""
    table = INTERPRETERS.get(name) or INTERPRETERS.get(family(name))
    parsed = parse(words, table.options if table else Grammar(short="coO", long=("rcfile", "init-file")))
    yield from of_options(parsed, {"--env-file": "read", "--env-file-if-exists": "read"})
    if table is None and parsed.has("-c", "-s"):
        return
    if name in _IN_PLACE and parsed.has("-i"):
        yield from ((word, "write") for word in parsed.operands)
    if table and (parsed.has(*table.code) or parsed.has(*table.module)) and not table.first:
        module = parsed.value(*table.module)
        if module and module.text in _UNPACKERS and parsed.operands:
            yield parsed.operands[-1], "write"
        yield from suspected(parsed.operands)
        return
    yield from ((word, "read") for word in parsed.operands[:1] if word.text != "-" and not (table and table.first))
    yield from suspected(parsed.operands[1:])
