"""Which words of a command are paths, and what it does with each: a table, a few special cases, a guess for the rest."""

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

from policy.command import SimpleCommand
from policy.programs import PROGRAMS, Program
from policy.question import Op
from policy.reading import sed
from policy.reading.launchers import LAUNCHERS
from policy.reading.options import Grammar, Parsed, matches, parse
from policy.reading.piece import Word
from policy.reading.prefixes import PREFIXES
from policy.reading.remote import REMOTE
from policy.reading.runners import RUNNERS
from policy.reading.shells import BASH_LIKE, INTERPRETERS, family

type Operand = tuple[Word, Op]


_CURL_FILES: dict[str, Op] = {
    "-o": "write", "--output": "write", "--output-dir": "write", "-D": "write", "--dump-header": "write",
    "-c": "write", "--cookie-jar": "write", "--trace": "write", "--trace-ascii": "write", "--stderr": "write",
    "-T": "read", "--upload-file": "read", "-K": "read", "--config": "read", "--netrc-file": "read",
    "-E": "read", "--cert": "read", "--key": "read", "--cacert": "read", "--capath": "read", "--etag-save": "write",
    "--etag-compare": "read", "--unix-socket": "read", "--libcurl": "write", "--hsts": "write", "--alt-svc": "write",
}  # fmt: skip
_CURL_DATA = (
    "-d", "--data", "--data-binary", "--data-ascii", "--data-urlencode", "--json", "-F", "--form", "-H", "--header",
    "-w", "--write-out", "-b", "--cookie", "--variable", "--proxy-header",
)  # fmt: skip
_CURL = Grammar(
    short="AbcCdDeEFhHKmoPQrtTuUwxXyYz",
    long=(
        *(name.lstrip("-") for name in (*_CURL_FILES, *_CURL_DATA) if name.startswith("--")),
        "request", "user", "user-agent", "proxy", "max-time", "retry", "url", "resolve", "connect-timeout",
    ),
    flags=("compressed", "fail", "head", "remote-name", "remote-name-all", "get"),
    permute=True,
)  # fmt: skip
_WGET_FILES: dict[str, Op] = {
    "-O": "write", "--output-document": "write", "-P": "write", "--directory-prefix": "write", "-o": "write",
    "--output-file": "write", "-a": "write", "--append-output": "write", "-i": "read", "--input-file": "read",
    "--post-file": "read", "--body-file": "read", "--ca-certificate": "read", "--certificate": "read",
    "--private-key": "read", "--load-cookies": "read", "--save-cookies": "write", "--config": "read",
}  # fmt: skip
_FIND_FILES: dict[str, Op] = {
    "-fprint": "write", "-fprint0": "write", "-fls": "write", "-fprintf": "write", "-newer": "read", "-samefile": "read",
    "-files0-from": "read",
}  # fmt: skip
_TAR = Grammar(short="fCTXbgHKLNVIF", long=("file", "directory", "files-from", "exclude-from", "exclude"), permute=True)
_SILENT = frozenset((
    "echo", "printf", "true", "false", ":", "test", "[", "export", "declare", "typeset", "local", "readonly", "read",
    "cd", "pushd", "popd", "set", "unset", "alias", "unalias", "trap", "eval", "exec", "exit", "return", "type", "which",
    "sleep", "kill", "env", "expr", "seq", "basename", "dirname", "tr", "let", "wait", "shift", "git-commit", "sudo",
))  # fmt: skip
_OUTPUT = re.compile(
    r"--?(?:o|out|output|outfile|out-?file|output-?(?:file|dir|path)|outdir|dest\w*|target|log-?file|prefix)"
)
_LOOKS_LIKE_PATH = re.compile(r"~|\.{0,2}/|\.[\w.-]+(?:/|$)|[^:\s]*/")
_NAMED_VALUE = re.compile(r"--?[\w-]+=|[A-Za-z_]\w*=")
_REMOTE_PATH = re.compile(r"[\w.@-]+:(?!/{2})")


def operands(command: SimpleCommand) -> Iterator[Operand]:
    """The words of one command that are paths, and what it does with each."""
    words = tuple(Word(*each) for each in zip(command.argv, command.dynamic, command.known, strict=False))[1:]
    name = command.name or ""
    if special := _SPECIAL.get(name):
        yield from special(words)
    elif (program := PROGRAMS.get(name)) is not None:
        yield from _tabled(words, program)
    elif name in BASH_LIKE or name in INTERPRETERS or family(name) in INTERPRETERS:
        yield from _script(words, name)
    elif name not in _SILENT | PREFIXES.keys() | LAUNCHERS.keys() | REMOTE.keys() | RUNNERS.keys():
        yield from _guessed(words)


def _tabled(words: tuple[Word, ...], program: Program) -> Iterator[Operand]:
    parsed = parse(words, program.grammar)
    yield from _options(parsed, program.options)
    paths = parsed.operands if parsed.has(*program.instead) else parsed.operands[program.skip :]
    *most, final = paths or (None,)
    ends = program.last if len(paths) > 1 and not parsed.has("-t", "--target-directory") else None
    for word in most:
        yield from _path(word, program.op)
    if final is not None:
        yield from _path(final, ends or program.op)


def _path(word: Word | None, op: Op) -> Iterator[Operand]:
    if word is not None and not _REMOTE_PATH.match(word.begins):
        yield word, op


def _options(parsed: Parsed, ops: Mapping[str, Op]) -> Iterator[Operand]:
    for name, word in parsed.options:
        op = next((op for given, op in ops.items() if matches(name, (given,))), None)
        if op and word:
            yield word, op


def _curl(words: tuple[Word, ...]) -> Iterator[Operand]:
    parsed = parse(words, _CURL)
    yield from _options(parsed, _CURL_FILES)
    for word in parsed.values(*_CURL_DATA):
        before, found, path = word.begins.partition("@")
        if found and (not before or before.endswith("=") or before.isidentifier()):
            yield Word(path.partition(";")[0] if word.text is not None else None, word.reason, path), "read"
    if parsed.has("-O", "--remote-name", "--remote-name-all", "-J"):
        yield Word("."), "write"
    yield from ((word, "read") for word in _urls(parsed.operands))


def _urls(words: tuple[Word, ...]) -> Iterator[Word]:
    return (Word(word.begins[len("file://") :]) for word in words if word.begins.startswith("file://"))


def _wget(words: tuple[Word, ...]) -> Iterator[Operand]:
    grammar = Grammar("OPoaieUtTQwBlADRIX", "", tuple(name.lstrip("-") for name in _WGET_FILES), permute=True)
    parsed = parse(words, grammar)
    yield from ((word, op) for word, op in _options(parsed, _WGET_FILES) if word.text != "-")
    if not parsed.has("-O", "--output-document", "-P", "--directory-prefix", "--spider"):
        yield Word("."), "write"


def _dd(words: tuple[Word, ...]) -> Iterator[Operand]:
    ops: dict[str, Op] = {"if": "read", "of": "write"}
    for word in words:
        key, equals, path = word.begins.partition("=")
        if equals and key in ops:
            yield Word(None if word.text is None else path, word.reason, path), ops[key]


def _find(words: tuple[Word, ...]) -> Iterator[Operand]:
    roots = list[Word]()
    for word in words:
        if roots and word.begins.startswith(("-", "(", "!")):
            break
        if not word.begins.startswith("-") or word.text is None:
            roots.append(word)
        elif word.text not in ("-H", "-L", "-P"):
            break
    op: Op = "delete" if any(word.text == "-delete" for word in words) else "list"
    yield from ((root, op) for root in roots or [Word(".")])
    for before, word in pairwise(words):
        if before.text in _FIND_FILES:
            yield word, _FIND_FILES[before.text]


def _tar(words: tuple[Word, ...]) -> Iterator[Operand]:
    if words and words[0].text and not words[0].text.startswith("-"):
        words = (Word("-" + words[0].text), *words[1:])
    parsed = parse(words, _TAR)
    extracts, creates = (
        parsed.has("-x", "--extract", "--get"),
        parsed.has("-c", "-r", "-u", "--create", "--append", "--update"),
    )
    for word in parsed.values("-f", "--file"):
        if word.text != "-":
            yield word, "write" if creates else "read"
    places = parsed.values("-C", "--directory")
    yield from ((word, "write" if extracts else "read") for word in places)
    if extracts and not places:
        yield Word("."), "write"
    if creates:
        yield from ((word, "read") for word in parsed.operands)
    yield from ((word, "read") for word in parsed.values("-T", "-X", "--files-from", "--exclude-from"))


def _sed(words: tuple[Word, ...]) -> Iterator[Operand]:
    parsed = parse(words, sed.OPTIONS)
    scripts = sed.scripts(parsed)
    for word in scripts:
        script = sed.read(word.text or "")
        yield from ((Word(path), "read") for path in script.reads)
        yield from ((Word(path), "write") for path in script.writes)
    yield from ((word, "read") for word in parsed.values("-f", "--file"))
    files = parsed.operands if parsed.has("-e", "--expression", "-f", "--file") else parsed.operands[1:]
    yield from ((word, "write" if parsed.has("-i", "--in-place") else "read") for word in files)


def _git(words: tuple[Word, ...]) -> Iterator[Operand]:
    grammar = Grammar("Cc", "", ("git-dir", "work-tree", "namespace"))
    parsed = parse(words, grammar)
    yield from ((word, "list") for word in parsed.values("-C", "--git-dir", "--work-tree"))
    verb = parsed.operands[0].text if parsed.operands else ""
    rest = parse(
        parsed.operands[1:], Grammar("bomuCFc", "", ("branch", "message", "depth", "file"), permute=True)
    ).operands
    ops: dict[str | None, Op] = {
        "rm": "delete",
        "mv": "write",
        "apply": "read",
        "am": "read",
        "init": "write",
        "add": "read",
    }
    if verb == "clone":
        yield from ((word, "write") for word in rest[1:])
    elif verb in ops:
        yield from ((word, ops[verb]) for word in rest)
    elif verb != "commit":
        yield from _guessed(rest)


def _script(words: tuple[Word, ...], name: str) -> Iterator[Operand]:
    """A script file is read; program text and modules are not paths."""
    table = INTERPRETERS.get(name) or INTERPRETERS.get(family(name))
    parsed = parse(words, table.options if table else Grammar(short="coO", long=("rcfile", "init-file")))
    if table is None and parsed.has("-c", "-s"):
        return
    if table and (parsed.has(*table.code) or parsed.has(*table.module)) and not table.first:
        yield from _guessed(parsed.operands)
        return
    yield from ((word, "read") for word in parsed.operands[:1] if word.text != "-" and not (table and table.first))
    yield from _guessed(parsed.operands[1:])


def _guessed(words: tuple[Word, ...]) -> Iterator[Operand]:
    """For programs nobody listed: whatever looks like a path is read, or written if its option says so."""
    for before, word in zip((Word(""), *words), words, strict=False):
        option, equals, value = word.begins.partition("=")
        if not _NAMED_VALUE.match(word.begins):
            option, equals, value = "", "", word.begins
        if word.begins.startswith("-") and not equals:
            continue
        held = Word(None if word.text is None else value, word.reason, value) if equals else word
        if held.begins and "://" not in held.begins and _LOOKS_LIKE_PATH.match(held.begins):
            writes = _OUTPUT.fullmatch(option or before.begins)
            yield held, "write" if writes else "read"


_SPECIAL = {
    "curl": _curl,
    "dd": _dd,
    "find": _find,
    "git": _git,
    "gsed": _sed,
    "gtar": _tar,
    "bsdtar": _tar,
    "sed": _sed,
    "tar": _tar,
    "wget": _wget,
}
