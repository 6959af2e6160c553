"""Programs whose words need more than the table: their own languages, their own order, or options that decide."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from urllib.parse import unquote

from policy.operand import Operand, guessed, hidden, looks_like_path, of_options, pattern, suspected
from policy.question import Op
from policy.reading import sed
from policy.reading.options import Grammar, parse
from policy.reading.piece import Word
from policy.sensitive import guarded

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
_CURL_OUTPUT = re.compile(r"%output\{(?:>>)?([^{}]+)\}")
_FILE_URL = re.compile(r"file:(?://[^/]*)?(/.*)", re.IGNORECASE | re.DOTALL)
_WGET_FILES: dict[str, Op] = {
    "-O": "write", "--output-document": "write", "-P": "write", "--directory-prefix": "write", "-o": "write",
    "--output-file": "write", "-a": "write", "--append-output": "write", "-i": "read", "--input-file": "read",
    "--warc-file": "write", "--rejected-log": "write", "--hsts-file": "write",
    "--post-file": "read", "--body-file": "read", "--ca-certificate": "read", "--certificate": "read",
    "--private-key": "read", "--load-cookies": "read", "--save-cookies": "write", "--config": "read",
}  # fmt: skip
_FIND_FILES: dict[str, Op] = {
    "-fprint": "write", "-fprint0": "write", "-fls": "write", "-fprintf": "write", "-newer": "read", "-samefile": "read",
    "-files0-from": "read",
}  # fmt: skip
_FIND_PATTERNS = frozenset(("-name", "-iname", "-path", "-ipath", "-wholename", "-iwholename", "-regex", "-iregex"))
_GIT_FILES: dict[str, Op] = {
    "--output": "write", "--output-directory": "write", "--template": "read", "--pathspec-from-file": "read",
    "-F": "read", "--file": "read", "--exec-path": "read", "--add-file": "read", "--separate-git-dir": "write",
    "--export-marks": "write", "--export-pack-edges": "write",
}  # fmt: skip
_GIT_OPS: dict[str | None, Op] = {
    "rm": "delete",
    "mv": "write",
    "apply": "read",
    "am": "read",
    "init": "write",
    "add": "read",
}
_GIT_CHANGES = frozenset((
    "checkout", "checkout-index", "clean", "merge", "pull", "read-tree", "reset", "restore", "stash", "switch",
))  # fmt: skip
_GIT_PLACES: dict[str | None, dict[str, Op]] = {
    "apply": {"--directory": "write"},
    "archive": {"-o": "write"},
    "commit": {"-t": "read"},
    "checkout-index": {"--prefix": "write"},
    "format-patch": {"-o": "write"},
}
_GIT_VERB = Grammar(
    "bomuCFcL", "", ("branch", "message", "depth", *(name[2:] for name in _GIT_FILES if name[1] == "-")), permute=True
)
_GIT_COMMIT = replace(_GIT_VERB, short=_GIT_VERB.short + "t")
_BLOB = re.compile(r"[^:/]*:[^:]")  # REVISION:PATH
_MAGIC = re.compile(r":(?:\([^)]*\)|[/!^]+:?|[0-3]:)?(?=.)")  # :(top)PATH, :/PATH, and of a blob its stage
_AWK = Grammar("vFfeiE", "", ("assign", "field-separator", "source", "file", "include"))
_AWK_FILES: dict[str, Op] = {"-f": "read", "--file": "read", "-i": "read", "--include": "read", "-E": "read"}
_AWK_WRITES = re.compile(r'>>?\s*"([^"]+)"')
_AWK_READS = re.compile(r'<\s*"([^"]+)"')
_AWK_OPENS = re.compile(r"getline|ARGV|@include")
_AWK_TEXTS = re.compile(r'"([^"\n]*)"')
_SQLITE = Grammar("", "", ("init", "cmd", "separator", "nullvalue", "vfs", "newline", "mmap"), single_dash=True)
_SQLITE_FILES = re.compile(
    r"(?m)^\s*\.(output|once|backup|save|clone|log|trace|open|read|import|load|restore)\s+(?:-\S+\s+)*(\S+)"
)
_SQLITE_READS = ("read", "import", "load", "restore")
_DATABASE = Grammar("cdefhLoPpUuFRTvD", "", ("command", "execute", "file", "output", "log-file"), permute=True)
_DATABASE_FILES: dict[str, Op] = {
    "-f": "read", "--file": "read", "-o": "write", "--output": "write", "-L": "write", "--log-file": "write",
}  # fmt: skip
_SQL_WRITES = frozenset(("\\o", "\\g", "\\w", "\\t", "into", "outfile", "dumpfile", "to"))
_TMUX_FILES = frozenset(("load-buffer", "loadb", "save-buffer", "saveb", "source", "source-file"))
_TAR_FILES: dict[str, Op] = {
    "-g": "write", "--listed-incremental": "write", "--index-file": "write", "--one-top-level": "write",
}  # fmt: skip
_TAR_NAMES = re.compile(r"\.git(?:/[\w.-]+)*")
_TAR = Grammar(
    short="fCTXbgHKLNVIFs",
    long=("file", "directory", "files-from", "exclude-from", "exclude", "transform", "xform", "listed-incremental"),
    permute=True,
)


def _curl(words: tuple[Word, ...]) -> Iterator[Operand]:
    parsed = parse(words, _CURL)
    yield from of_options(parsed, _CURL_FILES)
    cookies = (word for word in parsed.values("-b", "--cookie") if word.begins and "=" not in word.begins)
    yield from ((word, "read") for word in cookies)
    for word in parsed.values(*_CURL_DATA):
        before, found, path = re.sub(r"(?<==)<", "@", word.begins, count=1).partition("@")
        if found and (not before or before.endswith("=") or before.isidentifier()):
            for one in re.split(r",", path.partition(";")[0]):
                name = one.strip('"')
                yield Word(name if word.text is not None else None, word.reason, name), "read"
    for word in parsed.values("-w", "--write-out"):
        yield from ((Word(name), "write") for name in _CURL_OUTPUT.findall(word.begins))
    if parsed.has("-O", "--remote-name", "--remote-name-all", "-J"):
        yield Word("."), "write"
    yield from ((word, "read") for word in _urls((*parsed.operands, *parsed.values("--url"))))
    for word in parsed.values("-T", "--upload-file"):
        yield from ((Word(name), "read") for name in re.split(r"[{},]", word.begins) if name and name != word.begins)


def _urls(words: tuple[Word, ...]) -> Iterator[Word]:
    found = (_FILE_URL.match(word.begins) for word in words)
    return (Word(unquote(match[1])) for match in found if match)


def _wget(words: tuple[Word, ...]) -> Iterator[Operand]:
    grammar = Grammar("OPoaieUtTQwBlADRIX", "", tuple(name.lstrip("-") for name in _WGET_FILES), permute=True)
    parsed = parse(words, grammar)
    yield from ((word, op) for word, op in of_options(parsed, _WGET_FILES) if word.text != "-")
    if not parsed.has("-O", "--output-document", "-P", "--directory-prefix", "--spider"):
        yield Word("."), "write"


def _dd(words: tuple[Word, ...]) -> Iterator[Operand]:
    ops: dict[str, Op] = {"if": "read", "of": "write"}
    for word in words:
        key, equals, path = word.begins.partition("=")
        if equals and key in ops:
            yield Word(None if word.text is None else path, word.reason, path), ops[key]


def _find(words: tuple[Word, ...]) -> Iterator[Operand]:
    op: Op = "delete" if any(word.text == "-delete" for word in words) else "list"
    yield from ((root, op) for root in _roots(words))
    for before, word in pairwise(words):
        if before.text in _FIND_FILES:
            yield word, _FIND_FILES[before.text]


def _roots(words: tuple[Word, ...]) -> list[Word]:
    roots = list[Word]()
    for word in words:
        if roots and word.begins.startswith(("-", "(", "!")):
            break
        if not word.begins.startswith("-") or word.text is None:
            roots.append(word)
        elif word.text not in ("-H", "-L", "-P"):
            break
    return roots or [Word(".")]


def find_names(words: tuple[Word, ...]) -> Iterator[Word]:
    """What find is told to look for, as globs beneath the first of its roots."""
    roots = _roots(words)
    yield from (root for root in roots if guarded(root.begins))
    folder = roots[0].begins
    for before, word in pairwise(words):
        if before.text not in _FIND_PATTERNS:
            continue
        name = word.begins if re.search(r"/\.git/.*\w$", word.begins) else word.begins.rpartition("/")[2]
        if before.begins.endswith("regex"):
            name = name.replace(".*", "*").replace("\\.", ".")
        for one in (name, *hidden(name)):
            if (found := pattern(Word(one), folder)) is not None:
                yield found


def _tar(words: tuple[Word, ...]) -> Iterator[Operand]:
    parsed = parse(_with_dashes(words), _TAR)
    extracts, creates = (
        parsed.has("-x", "--extract", "--get"),
        parsed.has("-c", "-r", "-u", "--create", "--append", "--update"),
    )
    for word in parsed.values("-f", "--file"):
        if word.text != "-":
            yield word, "write" if creates else "read"
    places = parsed.values("-C", "--directory")
    place = places[0] if creates and len(places) == 1 else None
    yield from ((word, "list" if place else "write" if extracts else "read") for word in places)
    if extracts and not places:
        yield Word("."), "write"
    if extracts or creates:
        yield from ((_from(place, word), "write" if extracts else "read") for word in parsed.operands)
    yield from of_options(parsed, _TAR_FILES)
    for word in parsed.values("--transform", "--xform", "-s"):
        yield from ((Word(name), "write") for name in _TAR_NAMES.findall(word.begins) if extracts)
    yield from ((word, "read") for word in parsed.values("-T", "-X", "--files-from", "--exclude-from"))


def _with_dashes(words: tuple[Word, ...]) -> tuple[Word, ...]:
    """tar xfC ARCHIVE FOLDER as tar -x -f ARCHIVE -C FOLDER."""
    if not words or not words[0].text or words[0].text.startswith("-"):
        return words
    rest, found = list(words[1:]), list[Word]()
    for letter in words[0].text:
        found += [Word("-" + letter), *(rest[:1] if letter in _TAR.short else ())]
        rest = rest[letter in _TAR.short :]
    return (*found, *rest)


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
    yield from ((word, "list") for word in parsed.values("-C", "--git-dir"))
    settings = (Word(word.begins.partition("=")[2]) for word in parsed.values("-c"))
    yield from ((word, "read") for word in settings if looks_like_path(word.begins))
    changes = any(word.text in _GIT_CHANGES for word in parsed.operands[:1])
    yield from ((word, "write" if changes else "list") for word in parsed.values("--work-tree"))
    place = parsed.value("-C")
    yield from ((_from(place, word), op) for word, op in _git_verb(parsed.operands))


def _from(place: Word | None, word: Word) -> Word:
    """The word as seen from where git -C or tar -C goes first; unknown where that is."""
    if place is None or word.begins.startswith(("/", "~")):
        return word
    if place.text is None:
        ends = "" if word.text is None else f"/{word.text}"
        return Word(None, place.reason, place.known.rpartition("/")[0] + "/", ends=ends)
    return Word(None if word.text is None else f"{place.text}/{word.text}", word.reason, f"{place.text}/{word.known}")


def _git_verb(words: tuple[Word, ...]) -> Iterator[Operand]:
    verb = words[0].text if words else ""
    given = parse(words[1:], _GIT_COMMIT if verb == "commit" else _GIT_VERB)
    yield from of_options(given, _GIT_FILES)
    yield from of_options(given, _GIT_PLACES.get(verb, {}))
    if verb == "clone":
        yield from ((word, "write") for word in given.operands[1:])
    elif verb in _GIT_OPS:
        yield from ((_plain(word), _GIT_OPS[verb]) for word in given.operands)
    elif verb == "worktree" and [word.text for word in given.operands[:1]] == ["add"]:
        yield from suspected(given.operands[1:2])
    elif verb == "bundle" and [word.text for word in given.operands[:1]] == ["create"]:
        yield from ((word, "write") for word in given.operands[1:2])
    else:
        yield from guessed(tuple(_plain(word) for word in given.operands))
        named = (*given.operands, *given.values("-L"))  # log -L 1,9:PATH
        yield from ((Word(word.begins.rpartition(":")[2]), "read") for word in named if _BLOB.match(word.begins))


def _plain(word: Word) -> Word:
    """A path without what git reads in front of it."""
    return word if not word.begins.startswith(":") or word.text is None else Word(_MAGIC.sub("", word.text, count=1))


def _awk(words: tuple[Word, ...]) -> Iterator[Operand]:
    """Its program opens files by name too: print > "file", getline < "file"."""
    parsed = parse(words, _AWK)
    yield from of_options(parsed, _AWK_FILES)
    yield from suspected(tuple(parsed.values("-v", "--assign")))
    has_program = parsed.has("-f", "--file", "-e", "--source")
    programs = parsed.values("-e", "--source") + list(() if has_program else parsed.operands[:1])
    in_place = any(word.text == "inplace" for word in parsed.values("-i", "--include"))
    for word in parsed.operands if has_program else parsed.operands[1:]:
        yield word, "write" if in_place else "read"
    for program in programs:
        yield from ((Word(name), "write") for name in _AWK_WRITES.findall(program.begins))
        yield from ((Word(name), "read") for name in _AWK_READS.findall(program.begins))
        if _AWK_OPENS.search(program.begins):
            yield from ((Word(name), "read") for name in _AWK_TEXTS.findall(program.begins) if guarded(name))


def _sqlite(words: tuple[Word, ...]) -> Iterator[Operand]:
    """The database, and the files that dot-commands name."""
    parsed = parse(words, _SQLITE)
    for word in parsed.operands[:1] if parsed.operands[:1] and parsed.operands[0].text not in (":memory:", "") else ():
        yield word, "write"
        if guarded(word.begins):  # then what is in it is what is asked for
            yield word, "read"
    yield from of_options(parsed, {"-init": "read", "--init": "read"})
    for word in (*parsed.operands[1:], *parsed.values("-cmd", "--cmd")):
        for act, name in _SQLITE_FILES.findall(word.begins):
            yield Word(name), "read" if act in _SQLITE_READS else "write"
        yield from _in_sql(word)


def _database(words: tuple[Word, ...]) -> Iterator[Operand]:
    """psql, mysql and duckdb: files in options, and those that statements name."""
    parsed = parse(words, _DATABASE)
    yield from of_options(parsed, _DATABASE_FILES)
    yield from guessed(words)
    for word in (*parsed.values("-c", "-e", "--command", "--execute"), *parsed.operands):
        yield from _in_sql(word)


def _in_sql(word: Word) -> Iterator[Operand]:
    """Names worth guarding, whatever a statement does with them; `\\o` and `outfile` write."""
    words = [text for text in re.split(r"[\s'\"();|]+", word.begins) if text]
    for before, text in pairwise(words):  # the first is a verb
        if guarded(text):
            yield Word(text), "write" if before.lower() in _SQL_WRITES else "read"
            if before.lower() == "attach":
                yield Word(text), "write"


def _dotenv(words: tuple[Word, ...]) -> Iterator[Operand]:
    """It prints a file that it finds by itself."""
    yield from guessed(words)
    if any(word.text in ("export", "get", "list") for word in words[:1]):
        yield Word(".env"), "read"


def _tmux(words: tuple[Word, ...]) -> Iterator[Operand]:
    """Files that its commands load, and its own settings; the rest are keys and commands."""
    takes = any(word.text in _TMUX_FILES for word in words)
    yield from suspected(words) if takes else of_options(parse(words, Grammar("cfLST")), {"-f": "read"})


PARTICULAR: Mapping[str, Callable[[tuple[Word, ...]], Iterator[Operand]]] = {
    "awk": _awk,
    "curl": _curl,
    "dd": _dd,
    "dotenv": _dotenv,
    "duckdb": _database,
    "find": _find,
    "gawk": _awk,
    "git": _git,
    "gsed": _sed,
    "gtar": _tar,
    "bsdtar": _tar,
    "mariadb": _database,
    "mawk": _awk,
    "mysql": _database,
    "nawk": _awk,
    "original-awk": _awk,
    "psql": _database,
    "sed": _sed,
    "sqlite3": _sqlite,
    "tar": _tar,
    "tmux": _tmux,
    "wget": _wget,
}
