"""Programs on this machine that run other commands in ways of their own: find, xargs, parallel, watch, su, script."""

import re
import shlex
from dataclasses import replace
from itertools import takewhile

from policy.programs import PROGRAMS
from policy.reading.context import Input
from policy.reading.effect import UNCHANGED, Call, Effects, Meaning, Run, RunScript, RunStdin, joined
from policy.reading.options import Grammar, parse
from policy.reading.parallel import parallel
from policy.reading.piece import FILLED_IN, FOUND, Word, static

_UNKNOWN_CWD = Word(None, "input")
_FIND_RUNS = {"-exec": False, "-execdir": True, "-ok": False, "-okdir": True}  # True: where the file lies
_XARGS = Grammar(
    short="EILnPsad",
    attached="iel",
    long=("max-args", "max-procs", "max-chars", "arg-file", "delimiter", "max-lines", "process-slot-var"),
)


def find(call: Call) -> Effects:
    """Each -exec up to its `;` or `+`; what stands for a found file is not known."""
    effects, words = list[Run](), call.operands
    for index, word in enumerate(words):
        if word.text in _FIND_RUNS:
            inner = _until_end(words[index + 1 :])
            if inner and inner[0] == FOUND and word.text in ("-exec", "-ok"):
                inner = (_found(words), *inner[1:])
            cwd = _UNKNOWN_CWD if _FIND_RUNS[word.text] else UNCHANGED
            effects += [Run(inner, f"find {word.text}", cwd)] if inner else []
    return tuple(effects)


def _found(words: tuple[Word, ...]) -> Word:
    """A path that find puts in the place of a program: it lies in the one folder that is searched."""
    folders = tuple(takewhile(lambda word: word.begins[:1] not in ("", "-", "(", "!"), words))
    one = folders[0].text if len(folders) == 1 else None
    return Word(None, "glob", f"{one}/*", splits=True) if one else FOUND


def _until_end(words: tuple[Word, ...]) -> tuple[Word, ...]:
    inner = list[Word]()
    for index, word in enumerate(words):
        if word.text == ";" or (word.text == "+" and index and words[index - 1].text == "{}"):
            break
        inner.append(FOUND if "{}" in word.begins else word)
    return tuple(inner)


def xargs(call: Call) -> Effects:
    """The command with a tail from standard input, or with its placeholder filled in."""
    parsed = parse(call.operands, _XARGS)
    if not parsed.operands:
        return ()
    marker = parsed.value("-I", "-i", "--replace")
    text = marker.text if marker else "{}" if parsed.has("-i", "--replace") else None
    if parsed.has("-I", "-i", "--replace"):
        filled = tuple(_filled(word, text or "{}") for word in parsed.operands)
        return (Run(filled, "xargs"),)
    return (Run((*parsed.operands, FILLED_IN), "xargs"),)


def fed(call: Call, source: Input | None) -> Effects | None:
    """What xargs runs where a text in the script is its input; None where it takes that text apart in another way."""
    text = (source.text or "") if source and source.kind == "text" else ""
    parsed = parse(call.operands, _XARGS)
    marker = parsed.value("-I")
    known = _SPLITTING | ({"-n", "-L"} if parsed.operands and parsed.operands[0].text in PROGRAMS else set())
    if not text or len(text) > _MOST_FED or "\\" in text or any(name not in known for name, _ in parsed.options):
        return None
    if marker is None:
        words = _split(text)
        return None if words is None or not parsed.operands else (Run((*parsed.operands, *words), "xargs"),)
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if _QUOTES.search(text) or not marker.text:
        return None
    return tuple(Run(tuple(_with(word, marker.begins, line) for word in parsed.operands), "xargs") for line in lines)


_MOST_FED = 512  # characters
_QUOTES = re.compile(r"['\"]")
_SPLITTING = frozenset(("-I", "-P", "-r", "-t", "--max-procs", "--no-run-if-empty", "--verbose"))  # as it does alone


def _split(text: str) -> tuple[Word, ...] | None:
    """Words, with quotes as xargs has them."""
    try:
        return tuple(static(word) for word in shlex.split(text))
    except ValueError:
        return None


def _with(word: Word, marker: str, line: str) -> Word:
    return word if word.text is None else static(word.text.replace(marker, line))


def _filled(word: Word, marker: str) -> Word:
    """What is in front of the first name that is filled in stays known."""
    if word.text is None:
        return FILLED_IN
    before, found, _ = word.text.partition(marker)
    return replace(FILLED_IN, known=before) if found and before else FILLED_IN if found else word


def watch(call: Call) -> Effects:
    parsed = parse(call.operands, Grammar(short="nqs", attached="d", long=("interval", "equexit", "shotsdir")))
    if not parsed.operands:
        return ()
    if parsed.has("-x", "--exec"):
        return (Run(parsed.operands, "watch"),)
    return (RunScript(joined(parsed.operands), "sh", "watch"),)


def su(call: Call) -> Effects:
    """su, runuser, sg: a text after -c, a command after the user, else a shell on standard input."""
    grammar = Grammar(
        short="cCgGsTw", long=("command", "session-command", "group", "supp-group", "shell"), permute=True
    )
    parsed = parse(call.operands, grammar)
    if texts := parsed.values("-c", "-C", "--command", "--session-command"):
        return tuple(RunScript(text.text, call.name, f"{call.name} -c") for text in texts)
    if call.name == "runuser" and (user := parse(call.operands, Grammar(short="ugG", long=("user", "group")))).has(
        "-u", "--user"
    ):
        return (Run(user.operands, "runuser"),) if user.operands else ()
    return (RunStdin(call.name, is_shell=True),)


def flock(call: Call) -> Effects:
    """flock FILE command, or FILE -c text."""
    parsed = parse(call.operands, Grammar(short="wE", long=("timeout", "wait", "conflict-exit-code")))
    words = parsed.operands[1:]
    if words and words[0].text in ("-c", "--command"):
        return (RunScript(words[1].text if len(words) > 1 else "", "sh", "flock -c"),)
    return (Run(words, "flock"),) if words else ()


SCRIPT = Grammar(
    short="cEmoBIOT", attached="t", long=("command", "echo", "logging-format", "output-limit"), permute=True
)


def script(call: Call) -> Effects:
    """script -c text; without one it starts a shell on standard input."""
    parsed = parse(call.operands, SCRIPT)
    text = parsed.value("-c", "--command")
    dashes = next((i for i, word in enumerate(call.operands) if word.text == "--"), None)
    if text is None and dashes is not None and call.operands[dashes + 1 :]:
        return (Run(call.operands[dashes + 1 :], "script"),)
    return (RunScript(text.text, "sh", "script -c"),) if text else (RunStdin("script", is_shell=True),)


def gdb(call: Call) -> Effects:
    """gdb --args PROGRAM, perf and its like have the program behind a marker."""
    marker = next((i for i, word in enumerate(call.operands) if word.text in ("--args", "-args", "--")), None)
    return () if marker is None else (Run(call.operands[marker + 1 :], f"{call.name} --args"),)


def perf(call: Call) -> Effects:
    grammar = Grammar(short="eopFcCtuGgIrjbmDx", long=("event", "output", "pid", "freq", "cpu", "delay"))
    operands = parse(call.operands[1:], grammar).operands
    return (Run(operands, "perf"),) if operands else ()


def setarch(call: Call) -> Effects:
    """setarch [architecture] [options] command."""
    words = parse(call.operands, Grammar()).operands
    if words and words[0].begins in _ARCHITECTURES:
        words = parse(words[1:], Grammar()).operands
    return (Run(words, "setarch"),) if words else ()


_ARCHITECTURES = frozenset((
    "linux32", "linux64", "i386", "i486", "i586", "i686", "athlon", "x86_64", "aarch64", "arm64", "arm", "armv7l",
    "armv8l", "ppc", "ppc64", "ppc64le", "s390", "s390x", "uname26", "mips", "riscv64", "riscv32",
))  # fmt: skip


def each_text(call: Call) -> Effects:
    """hyperfine, concurrently and their like: every operand is a shell text."""
    parsed = parse(call.operands, _TEXTS[call.name])
    texts = (*parsed.operands, *parsed.values(*_TEXT_OPTIONS))
    if call.name == "sops":
        texts = (
            parsed.operands[2:] if any(word.text in ("exec-env", "exec-file") for word in parsed.operands[:1]) else ()
        )
    scripts = {word: match for word in texts if (match := _NPM_SCRIPT.fullmatch(word.text or ""))}
    return tuple(
        Run((static(scripts[word][1]), static("run"), static(scripts[word][2])), call.name)
        if word in scripts
        else RunScript(word.text, "sh", call.name, lenient=True)
        for word in texts
    )


_NPM_SCRIPT = re.compile(r"(npm|pnpm|yarn|bun|node|deno):([\w:*.!()-]+)", re.ASCII)  # concurrently "npm:watch-*"


_TEXTS = {
    "chokidar": Grammar(short="cdtpi", long=("command", "debounce", "throttle"), permute=True),
    "concurrently": Grammar(short="nlpcms", long=("names", "prefix", "success", "max-processes"), permute=True),
    "cross-env-shell": Grammar(),
    "hyperfine": Grammar(short="wmMrspcCnuSLPDo", long=(
        "warmup", "runs", "min-runs", "max-runs", "prepare", "setup", "cleanup", "conclude", "shell", "export-json",
        "export-markdown", "command-name", "parameter-list", "parameter-scan", "output", "input", "reference",
    ), permute=True),
    "mispipe": Grammar(),
    "pee": Grammar(),
    "sops": Grammar(long=("config", "input-type", "output-type"), permute=True),
}  # fmt: skip
_TEXT_OPTIONS = ("--prepare", "--setup", "--cleanup", "--conclude", "--command", "--reference", "-p", "-s", "-c", "-C")


def cmake(call: Call) -> Effects:
    """cmake -E is a tool box of its own: env, time and chdir run the rest, rm removes."""
    words = call.operands
    if len(words) < len(("-E", "verb", "word")) or words[0].text != "-E":
        return ()
    verb, rest = words[1].text, words[2:]
    match verb:
        case "env" | "time" | "rm":
            return (Run((static(verb), *rest), "cmake -E"),)
        case "chdir":
            return (Run(rest[1:], "cmake -E", rest[0]),) if rest[1:] else ()
        case "remove_directory":
            return (Run((static("rm"), static("-r"), *rest), "cmake -E"),)
        case _:
            return ()


def at(call: Call) -> Effects:
    """at and batch run what they read, later."""
    return (
        () if any(word.text in ("-l", "-c", "-f") for word in call.operands) else (RunStdin(call.name, is_shell=True),)
    )


def start_stop_daemon(call: Call) -> Effects:
    grammar = Grammar(
        short="xapnucgkdrsNPI", long=("exec", "startas", "pidfile", "name", "user", "chuid", "chdir"), flags=("start",)
    )
    parsed = parse(call.operands, grammar)
    program = parsed.value("-a", "--startas") or parsed.value("-x", "--exec")
    return (Run((program, *parsed.operands), "start-stop-daemon"),) if program else ()


def runcon(call: Call) -> Effects:
    """runcon CONTEXT command, or runcon -t TYPE command."""
    parsed = parse(call.operands, Grammar(short="turl", long=("type", "user", "role", "range")))
    words = (
        parsed.operands
        if parsed.has("-t", "-u", "-r", "-l", "-c", "--type", "--user", "--role")
        else parsed.operands[1:]
    )
    return (Run(words, "runcon"),) if words else ()


def netns(call: Call) -> Effects:
    """ip netns exec NAME command."""
    words = call.operands
    verbs = tuple(word.text for word in words[:2])
    return (
        (Run(words[3:], "ip netns exec", elsewhere=True),)
        if verbs in (("netns", "exec"), ("vrf", "exec")) and words[3:]
        else ()
    )


def fd(call: Call) -> Effects:
    """fd PATTERN -x command: the tail is what it found."""
    for index, word in enumerate(call.operands):
        if word.text in ("-x", "-X", "--exec", "--exec-batch"):
            inner = _until_end(call.operands[index + 1 :])
            return (Run((*inner, FILLED_IN), f"fd {word.text}"),) if inner else ()
        option, equals, program = word.begins.partition("=")
        if equals and word.text is not None and option in ("--exec", "--exec-batch"):
            return (Run((static(program), *_until_end(call.operands[index + 1 :]), FILLED_IN), f"fd {option}"),)
    return ()


def capsh(call: Call) -> Effects:
    """capsh [options] -- [arguments of a shell]."""
    marker = next((i for i, word in enumerate(call.operands) if word.text in ("--", "==")), None)
    return () if marker is None else (Run((Word("bash"), *call.operands[marker + 1 :]), "capsh"),)


def terminal(call: Call) -> Effects:
    """xterm -e command: all that follows, or one text."""
    marks = ("-e", "-x", "--", "--execute", "--command")
    start = next((index + 1 for index, word in enumerate(call.operands) if word.text in marks), None)
    words = call.operands[start:] if start is not None else ()
    if len(words) == 1:
        return (RunScript(words[0].text, "sh", call.name, lenient=True),)
    return (Run(words, call.name),) if words else ()


_TERMINALS = (
    "alacritty",
    "gnome-terminal",
    "kitty",
    "konsole",
    "urxvt",
    "x-terminal-emulator",
    "xfce4-terminal",
    "xterm",
)
LAUNCHERS: dict[str, Meaning] = {
    **dict.fromkeys(_TERMINALS, terminal),
    "at": at,
    "batch": at,
    "capsh": capsh,
    "cmake": cmake,
    "env_parallel": parallel,
    **dict.fromkeys(_TEXTS, each_text),
    "fd": fd,
    "fdfind": fd,
    "find": find,
    "flock": flock,
    "gdb": gdb,
    "ip": netns,
    "lldb": gdb,
    "parallel": parallel,
    "perf": perf,
    "runcon": runcon,
    "runuser": su,
    "script": script,
    "sem": parallel,
    "setarch": setarch,
    "sg": su,
    "start-stop-daemon": start_stop_daemon,
    "su": su,
    "watch": watch,
    "xargs": xargs,
}
