"""Paths as the policy sees them: absolute, normalised, each in one area. Links are the sandbox's business, not ours."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from posixpath import normpath

from policy.command import Reading, SimpleCommand
from policy.operand import Operand
from policy.operands import fed, fills_in, operands, reads_what_is_printed
from policy.question import Area, Op, PathUse
from policy.reading.piece import Word
from policy.sensitive import guarded, meant

MOST_USES = 1_000  # of paths in one question; the rules deny more: what is a list of files is for xargs or a folder
_TMP = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108  # the area's own definition
_PROC = ("/proc", "/sys")
_GATE = (
    "/run/sandgate", "/opt/sandgate", "/var/run/sandgate",
    *(f"{run}/{engine}" for run in ("/run", "/var/run") for engine in ("docker.sock", "containerd", "podman", "crio")),
)  # fmt: skip

# Streams that bash and the kernel hand out; opening them touches no file.
_STREAM = re.compile(r"/dev/(?:null|zero|full|random|urandom|tty|stdin|stdout|stderr|fd/\d+|(?:tcp|udp)/.*)")


# An end of a path that says what it is, whatever stands before it: "$folder/.env", ${place}/.ssh/id_rsa.
_TELLING = re.compile(
    r"(?:/|^)(?:\.[A-Za-z]|id_[a-z]|credentials|secrets?\.).*|/hooks/(?:pre|post|commit)-[a-z-]+"
    r"|/[^/]*\.(?:pem|key|p12|pfx|jks|kdbx|tfstate)",
    re.DOTALL,
)
_LOGS = re.compile(
    r"GIT_(?:TRACE\w*|INDEX_FILE|WORK_TREE)|\w*(?:HISTFILE|HISTORY|LOG_?FILE|_LOG|PROFILE_FILE|_OUTPUT|_OUT)|GCOV_PREFIX"
    r"|COVERAGE_FILE|NODE_V8_COVERAGE|NODE_COMPILE_CACHE|PYTHONPYCACHEPREFIX|MALLOC_TRACE"
)


_OPENS: dict[str, tuple[Op, ...]] = {"<": ("read",), "<>": ("read", "write")}
_GLOB = re.compile(r"[*?\[]")


def normalise(path: str, cwd: str, home: str) -> str:
    """An absolute path without `.`, `..`, `//` and `~`; relative ones start at cwd."""
    if path == "~" or path.startswith("~/"):
        path = home + path[1:]
    joined = path if path.startswith("/") else f"{cwd}/{path}"
    return "/" + normpath(joined).lstrip("/")


def within(path: str, root: str) -> bool:
    """Whether a normalised path is this folder or lies in it. `/` holds nothing: it is nobody's folder."""
    return root not in ("", "/") and (path == root or path.startswith(root.rstrip("/") + "/"))


def area(path: str, home: str, workspaces: tuple[str, ...]) -> Area:
    """Where a normalised path lies; what is nowhere else is the system's."""
    areas: tuple[tuple[Area, tuple[str, ...]], ...] = (
        ("gate", _GATE),
        ("proc", _PROC),
        ("workspace", workspaces),
        ("tmp", _TMP),
        ("home", (home,)),
    )
    return next((name for name, roots in areas if any(within(path, root) for root in roots)), "system")


def uses(reading: Reading, home: str, workspaces: tuple[str, ...]) -> tuple[PathUse, ...]:
    """Every path the commands of a reading name, once for each directory a command may start in.

    A relative path from an unknown directory has resolved "" and counts as the system's. Of a glob the pattern is
    resolved, and the sensitive names that it may stand for; of any other dynamic word the folder it begins with, and its
    end beneath some folder where that says what it is; a number is a 1. What
    one command prints and xargs or find fills in for another is used as that one uses it. Commands that run elsewhere
    name nothing of ours.
    """
    here = [(command, tuple(operands(command))) for command in reading.commands if not command.elsewhere]
    filled: set[Op] = set().union(*(fills_in(command, words) for command, words in here if not _by_find(command)))
    found_first: set[Op] = set().union(*(fills_in(command, words) for command, words in here if _by_find(command)))
    prints = any(reads_what_is_printed(words) or _reads_unknown(command) for command, words in here)
    printed: set[Op] = {"read"} if prints else set()
    if reading.said:
        here += [(command, tuple(operands(command))) for command in _told(reading)]
    found = (
        use
        for command, words in here
        for use in (
            *_opened(command, home, workspaces),
            *_logged(command, home, workspaces),
            *_named(command, words, home, workspaces),
            *(
                use
                for op in sorted(
                    filled
                    | (printed if _prints_for_others(command) else set())
                    | (found_first if _runs_what_it_finds(command) else set())
                )
                for use in _named(command, ((word, op) for word in fed(command)), home, workspaces)
            ),
        )
    )
    return _first(found)


def _first(found: Iterable[PathUse]) -> tuple[PathUse, ...]:
    """Each once; one more than the rules judge says enough."""
    uses = dict[PathUse, None]()
    for use in found:
        uses[use] = None
        if len(uses) > MOST_USES:
            break
    return tuple(uses)


def _told(reading: Reading) -> Iterator[SimpleCommand]:
    """Commands with the names that the script itself gives their unknown words: for f in .e*; do cat "$f"; done."""
    for command, places in reading.unknown:
        for place, variable in places:
            for text in _names_of(variable, reading.said):
                argv, dynamic = list(command.argv), list(command.dynamic)
                is_glob = _GLOB.search(text) is not None
                argv[place], dynamic[place] = None if is_glob else text, "glob" if is_glob else ""
                known = tuple(text if at == place else word for at, word in enumerate(command.known))
                yield replace(command, argv=tuple(argv), dynamic=tuple(dynamic), known=known, redirects=(), assigns=())


def _names_of(variable: str, said: tuple[tuple[str, str], ...]) -> Iterator[str]:
    is_fed = (variable, "|") in said
    for name, text in said:
        if text != "|" and (
            name == variable or (variable == "" and name not in ("|", "()")) or (is_fed and name == "|")
        ):
            yield text


def _reads_unknown(command: SimpleCommand) -> bool:
    return any(redirect.dynamic and redirect.op == "<" for redirect in command.redirects)


def _opened(command: SimpleCommand, home: str, workspaces: tuple[str, ...]) -> Iterator[PathUse]:
    for redirect in command.redirects:
        if redirect.path and not _STREAM.fullmatch(redirect.path):
            ops: tuple[Op, ...] = _OPENS.get(redirect.op, ("write",))
            yield from (PathUse(redirect.path, redirect.path, op, area(redirect.path, home, workspaces)) for op in ops)


def _by_find(command: SimpleCommand) -> bool:
    return command.via != () and command.via[-1].startswith("find ")


def _runs_what_it_finds(command: SimpleCommand) -> bool:
    return command.name == "find" and any(word in _RUNS for word in command.argv)


_RUNS = frozenset(("-exec", "-execdir", "-ok", "-okdir"))


def _prints_for_others(command: SimpleCommand) -> bool:
    """find prints names for others to use; what ls and echo print is for people, unless it is put into a word."""
    return command.name == "find" or "$()" in command.via or "<()" in command.via


def _logged(command: SimpleCommand, home: str, workspaces: tuple[str, ...]) -> Iterator[PathUse]:
    """The files that a program writes because a variable names them."""
    for assign in command.assigns if command.argv else ():
        if assign.value and "/" in assign.value and _LOGS.fullmatch(assign.name):
            yield from _use(assign.value, "write", command.cwd, home, workspaces)


def _named(
    command: SimpleCommand, words: Iterable[Operand], home: str, workspaces: tuple[str, ...]
) -> Iterator[PathUse]:
    for word, op in words:
        if holed := _holed(word):
            for cwd in (command.cwd, *command.other_cwds):
                yield from _use(holed, op, cwd, home, workspaces)
        if word.text is None and (end := _TELLING.search(word.ends)):
            yield from _use(f"*/{end[0].removeprefix('/')}", op, command.cwd or workspaces[0], home, workspaces)
        whole = word.text is not None or word.reason in ("glob", "number")
        text = word.begins if whole else word.begins.rpartition("/")[0] + "/"
        if not whole and "/" not in text[:-1] and not word.begins.startswith("/"):
            continue
        if word.reason == "input" and op == "delete":  # something in that folder, which the rules ask about
            continue
        for cwd in (command.cwd, *command.other_cwds):
            yield from _use(text, op, cwd, home, workspaces)


def _holed(word: Word) -> str:
    """A word with an unknown middle or end as a pattern: .e${x}nv, .env$x."""
    begins, ends = word.begins.rpartition("/")[2], word.ends
    if word.text is not None or word.reason == "glob" or "/" in ends or not begins.startswith((".", "id_")):
        return ""
    return f"{word.begins}*{ends}" if len(begins) + len(ends) > 1 else ""


def _use(text: str, op: Op, cwd: str | None, home: str, workspaces: tuple[str, ...]) -> Iterator[PathUse]:
    if not text:
        return
    if cwd is None and not text.startswith("/"):
        yield PathUse(text, "", op, "system")
        if not guarded(text):
            return
        cwd, text = workspaces[0], f"*/{text}"  # in some folder
    path = normalise(text, cwd or "/", home)
    if not _STREAM.fullmatch(path):
        yield from (PathUse(text, each, op, area(each, home, workspaces)) for each in (path, *meant(path)))
