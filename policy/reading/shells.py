"""Shells and interpreters: which word is program text, and where the program comes from if none is."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from policy.reading.effect import Call, Effects, RunInline, RunScript, RunStdin, SetVariable
from policy.reading.options import NO_OPTIONS, Grammar, parse
from policy.reading.piece import Word
from policy.reading.shell_options import WITH_VALUE, rereading

BASH_LIKE = frozenset(
    ("sh", "bash", "dash", "ash", "rbash", "ksh", "mksh", "zsh", "bash-static", "yash", "posh", "osh", "sash")
)
OTHER_SHELLS = frozenset(("fish", "csh", "tcsh", "nu", "pwsh", "powershell", "elvish", "xonsh", "rc", "es"))
_EXACT = frozenset(("sh", "bash", "dash", "ash", "rbash", "bash-static"))  # read by the grammar we parse with
_DESCRIPTOR = re.compile(r"/(?:dev|proc/(?:self|thread-self|\$\$|\d+))/fd/(\d+)|/dev/(stdin)")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """code: options that hold program text. options: others that take a value. module: options after which no program
    is read from standard input. first: the first operand is the program itself (awk)."""

    code: tuple[str, ...] = ()
    options: Grammar = NO_OPTIONS
    module: tuple[str, ...] = ()
    first: bool = False
    flagged: tuple[str, ...] = ()  # options that make the first operand the program
    file: tuple[str, ...] = ()
    reads_stdin: bool = True
    plus: str = ""  # operands that begin so are commands (vim +cmd, less +!cmd)
    modes: tuple[str, ...] = ()  # subcommands that come before the options


_PYTHON = Interpreter(("-c",), Grammar(short="cmWXQ", long=("check-hash-based-pycs",)), ("-m", "-V", "--version", "-h"))
_NODE = Interpreter(
    ("-e", "--eval", "--print"),
    Grammar(short="erC", long=("eval", "require", "import", "loader", "experimental-loader", "conditions")),
    ("-v", "--version", "--test", "--run", "-h"),
    flagged=("-p", "--print"),
)
_AWK = Interpreter(
    ("-e", "--source"),
    Grammar(short="vfFeilE", long=("assign", "file", "field-separator", "source", "include", "load", "exec")),
    first=True,
    file=("-f", "--file", "-E", "--exec"),
    reads_stdin=False,
)
_VIM = Interpreter(
    ("-c", "--cmd"), Grammar(short="cSuUwWTit", long=("cmd", "startuptime"), permute=True), reads_stdin=False, plus="+"
)

INTERPRETERS: dict[str, Interpreter] = {
    "python": _PYTHON,
    "pypy": _PYTHON,
    "micropython": _PYTHON,
    "ipython": Interpreter(("-c",), Grammar(short="cm"), ("-m",)),
    "perl": Interpreter(("-e", "-E"), Grammar(short="eEI", attached="iFxMmDV"), ("-v", "-V")),
    "ruby": Interpreter(("-e",), Grammar(short="eIrCE", attached="iFxKTW"), ("-v", "--version")),
    "irb": Interpreter((), Grammar(short="rIE")),
    "node": _NODE,
    "nodejs": _NODE,
    "bun": Interpreter(("-e", "--eval", "--print"), Grammar(short="erc", long=("eval",)), flagged=("-p", "--print"), reads_stdin=False),
    "deno": Interpreter((), Grammar(long=("ext",)), reads_stdin=False, modes=("eval", "repl")),
    "tsx": _NODE,
    "ts-node": _NODE,
    "php": Interpreter(("-r", "-B", "-R", "-E"), Grammar(short="rBREcdfFtSz"), ("-v", "-S", "-l", "-m", "-i")),
    "less": Interpreter((), Grammar(short="bhjkoOpPtTxyz", permute=True), reads_stdin=False, plus="+!"),
    "more": Interpreter((), Grammar(short="n", permute=True), reads_stdin=False, plus="+!"),
    "lua": Interpreter(("-e",), Grammar(short="el"), ("-v",)),
    "luajit": Interpreter(("-e",), Grammar(short="elj"), ("-v",)),
    "Rscript": Interpreter(("-e", "--eval"), Grammar(short="e", long=("eval",)), ("--version",)),
    "R": Interpreter(("-e",), Grammar(short="ef"), ("--version", "CMD")),
    "julia": Interpreter(("-e", "-E", "--eval", "--print"), Grammar(short="eELpt", long=("eval", "print", "load"))),
    "tclsh": Interpreter(),
    "expect": Interpreter(("-c",), Grammar(short="cf")),
    "guile": Interpreter(("-c",), Grammar(short="clLex")),
    "ghci": Interpreter(("-e",), Grammar(short="e")),
    "elixir": Interpreter(("-e", "--eval"), Grammar(short="er", long=("eval",))),
    "erl": Interpreter(("-eval",), Grammar(long=("eval", "s", "run", "pa"), single_dash=True), reads_stdin=False),
    "osascript": Interpreter(("-e",), Grammar(short="el")),
    "groovy": Interpreter(("-e",), Grammar(short="e")),
    "scala": Interpreter(("-e",), Grammar(short="e"), reads_stdin=False),
    "jshell": Interpreter(),
    "emacs": Interpreter(("--eval", "-eval", "--execute"), Grammar(long=("eval", "execute", "load")), reads_stdin=False),
    "awk": _AWK,
    "gawk": _AWK,
    "mawk": _AWK,
    "nawk": _AWK,
    "gdb": Interpreter(("-ex", "-iex", "--eval-command", "-eval-command"), Grammar(
        long=("ex", "iex", "eval-command", "x", "command", "p", "pid", "cd", "d", "directory"), single_dash=True,
    ), reads_stdin=False),
    "sqlite3": Interpreter(("-cmd",), Grammar(long=("cmd", "init", "separator"), single_dash=True), reads_stdin=False),
}  # fmt: skip
INTERPRETERS |= dict.fromkeys(("vim", "vi", "nvim", "ex", "view", "gvim", "rvim", "vimdiff"), _VIM)


def shell(call: Call) -> Effects:
    """A shell: the text after -c, else its standard input, else a script file that the sandbox holds."""
    options, operands = _shell_options(call.operands)
    if rereading(call.operands):
        return (RunInline(call.name, None),)
    if "c" in options:
        text = operands[0] if operands else Word("")
        return _texts(call.name, text, operands[1:])
    script = operands[0] if operands and "s" not in options else None
    if script is None or script.text == "-":
        return (RunStdin(call.name, is_shell=True),) if not _only_informs(call) else ()
    if script.text is None and len(operands) > 1 and not script.begins:  # it may be -c
        return (RunInline(call.name, None),)
    return from_descriptor(call.name, script, here=False)


def _texts(name: str, text: Word, arguments: tuple[Word, ...]) -> Effects:
    read = RunScript(text.code, name, f"{name} -c", lenient=name not in _EXACT, arguments=arguments)
    return (read,) if name in _EXACT or text.code is None else (read, RunInline(name, text.code))


def from_descriptor(shell_name: str, script: Word, *, here: bool) -> Effects:
    """A script operand that is no file: /dev/stdin, /dev/fd/3, or a process substitution."""
    if script.text is None:
        unclear = script.reason == "procsub" or (script.splits and not script.ends.endswith("/bin/activate"))
        return (RunInline(shell_name, None),) if unclear else ()
    if found := _DESCRIPTOR.fullmatch(script.text):
        return (RunStdin(shell_name, is_shell=True, fd=int(found[1] or 0), here=here),)
    return ()


def _only_informs(call: Call) -> bool:
    return any(word.text in ("--version", "--help") for word in call.operands)


def _shell_options(words: tuple[Word, ...]) -> tuple[set[str], tuple[Word, ...]]:
    """The letters given, and what follows them. A dynamic word may be an option, so it counts as the -c text too."""
    letters, index = set[str](), 0
    while index < len(words):
        text = words[index].text
        if text is None or text in ("-", "--") or text[:1] not in ("-", "+"):
            break
        index += 1
        if text.startswith("--"):
            letters |= {"c"} if text.partition("=")[0] in ("--command", "--commands") else set()
            index += text in WITH_VALUE
            continue
        letters |= set(text[1:]) if text[0] == "-" else set(text[1:]) & {"c"}  # bash +c is bash -c
        index += sum(text[1:].count(letter) for letter in "oO")
    if index < len(words) and words[index].text in ("-", "--"):
        index += 1
    return letters, words[index:]


def interpreter(call: Call, table: Interpreter, name: str) -> Effects:
    """Program text in options, in the first operand, or on standard input."""
    parsed = parse(call.operands, table.options)
    codes = tuple(RunInline(name, _program_text(word, name)) for word in parsed.values(*table.code))
    operands = parsed.operands
    if table.modes and operands and operands[0].text in table.modes:
        return tuple(
            RunInline(name, _program_text(word, name)) for word in operands[1:] if not word.begins.startswith("-")
        )
    if (table.first and not codes and not parsed.has(*table.file)) or parsed.has(*table.flagged):
        return codes + tuple(RunInline(name, _program_text(word, name)) for word in operands[:1])
    plus = tuple(
        RunInline(name, _program_text(word, name))
        for word in operands
        if table.plus and word.begins.startswith(table.plus)
    )
    if codes or plus or not table.reads_stdin or parsed.has(*table.module):
        return codes + plus
    return _program(name, operands)


def _program_text(word: Word, name: str) -> str | None:
    """The names that a glob finds are as good as the files: a language that can do anything runs those as well."""
    found = word.reason == "glob" and not word.splits and family(name) in _LANGUAGES
    return word.known if found else word.code


_LANGUAGES = frozenset(("deno", "node", "nodejs", "perl", "php", "python", "ruby"))


def make(call: Call) -> Effects:
    """A makefile that is no file: the text of --eval, or standard input."""
    grammar = Grammar(short="CfIEoW", attached="jlO", long=("eval", "file", "makefile", "directory"), permute=True)
    parsed = parse(call.operands, grammar)
    texts = tuple(RunInline(call.name, word.text) for word in parsed.values("-E", "--eval"))
    files = [word.text for word in parsed.values("-f", "--file", "--makefile")]
    reads = any(text is not None and (text == "-" or _DESCRIPTOR.fullmatch(text)) for text in files)
    effects: Effects = (*texts, *(SetVariable(name, value) for name, value in _for_recipes(parsed.operands)))
    return (*effects, RunStdin(call.name, is_shell=False)) if reads else effects


def _for_recipes(words: tuple[Word, ...]) -> Iterator[tuple[str, str | None]]:
    """make hands its own NAME=VALUE on to the programs of its recipes; most names mean something to the makefile alone."""
    for word in words:
        name, equals, value = word.begins.partition("=")
        if equals and (name.startswith("LD_") or name in _FOR_ALL):
            yield name, None if word.text is None else value


_FOR_ALL = frozenset(("BASH_ENV", "ENV", "IFS", "PATH"))


def _program(name: str, operands: tuple[Word, ...]) -> Effects:
    if not operands or operands[0].text == "-":
        return (RunStdin(name, is_shell=False),)
    if operands[0].text is None:
        return (RunInline(name, None),) if operands[0].reason == "procsub" else ()
    found = _DESCRIPTOR.fullmatch(operands[0].text)
    return (RunStdin(name, is_shell=False, fd=int(found[1] or 0)),) if found else ()


def family(name: str) -> str:
    """python3.13 -> python."""
    return re.sub(r"[\d.]+$", "", name) or name
