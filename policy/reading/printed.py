"""What well-known programs print, as far as it decides anything: mktemp a path, others the lines that set them up."""

import re
from itertools import zip_longest

from policy.reading.options import Grammar, parse
from policy.reading.piece import static
from policy.reading.quoting import ansi_c

MADE = "/tmp/tmp.XXXXXXXXXX"  # noqa: S108 - what mktemp makes, in letters of its own
_MKTEMP = Grammar(short="p", long=("suffix",))
_ABOUT = frozenset(("-d", "-q", "-t", "-p", "-u", "--directory", "--quiet", "--dry-run", "--tmpdir", "--suffix"))
_TEMPLATE = re.compile(r"[\w-][\w.-]*X{3}X*[\w.-]*", re.ASCII)
_MADE = re.compile(r"^/tmp/[\w.-]*X{3}", re.ASCII)

# Each prints lines for `eval` that put its own tool in place. Its text is as good as the program that prints it.
_SET_UP = frozenset((
    ("brew", "shellenv"), ("conda", "shell.bash", "hook"), ("conda", "shell.posix", "hook"), ("dircolors", "-b"),
    ("direnv", "hook", "bash"), ("fnm", "env"), ("fnm", "env", "--use-on-cd"), ("fnm", "env", "--shell", "bash"),
    ("fnm", "env", "--use-on-cd", "--shell", "bash"), ("goenv", "init", "-"), ("jenv", "init", "-"),
    ("luarocks", "path"), ("luarocks", "path", "--bin"), ("mamba", "shell", "hook", "--shell", "bash"),
    ("micromamba", "shell", "hook", "--shell", "bash"), ("micromamba", "shell", "hook", "--shell=bash"),
    ("micromamba", "shell", "hook", "-s", "bash"), ("mise", "activate", "bash"), ("nodenv", "init", "-"),
    ("opam", "env"), ("opam", "env", "--switch=default"), ("opam", "env", "--shell=bash"), ("pyenv", "init", "-"), ("pyenv", "init", "-", "bash"), ("pyenv", "init", "--path"),
    ("poetry", "env", "activate"), ("pyenv", "virtualenv-init", "-"), ("rbenv", "init", "-"), ("rbenv", "init", "-", "bash"), ("ssh-agent",),
    ("ssh-agent", "-s"), ("starship", "init", "bash"), ("zoxide", "init", "bash"),
))  # fmt: skip

TOOL_FOLDERS = frozenset((
    "go env GOPATH", "go env GOROOT", "npm bin", "npm config get prefix", "npm prefix -g", "npm root -g",
    "python -m site --user-base", "python3 -m site --user-base", "yarn global bin", "brew --prefix", "composer global config bin-dir --absolute",
))  # fmt: skip


def sets_up(argv: list[str]) -> str | None:
    """A command that does nothing, in the place of the lines; None if it is not one of these programs."""
    return ": " + " ".join(argv) if tuple(argv) in _SET_UP else None


def counts(pipeline: list[list[str]]) -> bool:
    """Whether it prints numbers only; those of a commit have letters, those of a date dashes."""
    *before, last = pipeline or [[]]
    match last:
        case ["nproc"] | ["id", "-u" | "-g"]:
            return True
        case ["date", form] | ["date", "-u", form]:
            return _DATE.fullmatch(form) is not None
        case ["seq", "-w", first, *_] | ["seq", first, *_]:  # behind a number it takes no options
            return first.isdecimal() and first.isascii()
        case ["git", "rev-list", "--count", "HEAD"] | ["git", "rev-parse", "HEAD"]:
            return True
        case ["git", "rev-parse", short, "HEAD"]:
            return _SHORT.fullmatch(short) is not None
        case ["wc", "-l" | "-c" | "-w" | "-m"]:
            return True
        case ["cut", "-d:", "-f1"] | ["cut", "-f1", "-d:"]:
            return bool(before) and _numbers_lines(before[0]) and all(argv[:1] in _PASSING for argv in before[1:])
        case _:
            return False


def few_numbers(argv: list[str]) -> str | None:
    """What `seq LAST` and `seq FIRST LAST` print, a line each; None if it is much, or anything else."""
    if argv[:1] != ["seq"] or not all(_INTEGER.fullmatch(word) for word in argv[1:]) or len(argv) not in (2, 3):
        return None
    first, last = int(argv[1]) if argv[2:] else 1, int(argv[-1])
    return "\n".join(map(str, range(first, last + 1))) if 0 <= last - first < _FEW else None


_INTEGER = re.compile(r"0|[1-9]\d{0,5}", re.ASCII)
_FEW = 10
_SHORT = re.compile(r"--short(?:=\d+)?", re.ASCII)
_DATE = re.compile(r"\+%[YymdHMSsNjF](?:%[YymdHMSsNjF]|[_-])*")  # 20240131_235959
_PASSING = (["head"], ["tail"], ["sort"])  # lines as they are
_FLAGS = re.compile(r"-[A-Za-z]*")


def _numbers_lines(argv: list[str]) -> bool:
    """grep -n of one file or of its input: each line begins with its number."""
    flags = "".join(word[1:] for word in argv[1:] if _FLAGS.fullmatch(word))
    words = [word for word in argv[1:] if not word.startswith("-")]
    known = all(_FLAGS.fullmatch(word) or not word.startswith("-") for word in argv)
    most = 2  # the pattern and the file
    return argv[:1] == ["grep"] and known and "n" in flags and not set(flags) - set("nEFPiwxm") and len(words) <= most


_FORMAT = re.compile(r"(?:[^\\%]|%[s%]|\\(?:[nt\\]|0[4-7][0-7]|1[0-7]{2}))*", re.DOTALL)
_CONVERSION = re.compile(r"%([s%])")


def formatted(form: str, arguments: list[str]) -> str | None:
    """What `printf FORM ARGUMENTS` prints; None but for one round of %s and for the escapes that every shell knows."""
    wanted = _CONVERSION.findall(form).count("s")
    if form.startswith("-") or wanted != len(arguments) or not _FORMAT.fullmatch(form):
        return None
    rest = iter(arguments)
    pieces = _CONVERSION.split(form)
    filled = ("%" if piece == "%" else next(rest) for piece in pieces[1::2])
    return "".join(text for pair in zip_longest(map(ansi_c, pieces[::2]), filled, fillvalue="") for text in pair)


def is_made(path: str) -> bool:
    """Whether a path has letters in it that mktemp chooses, so that it is another one each time."""
    return _MADE.search(path) is not None


def made(arguments: list[str]) -> str | None:
    """The path that mktemp prints, an X for each letter that it chooses; None where that may be none in /tmp."""
    parsed = parse(tuple(static(argument) for argument in arguments), _MKTEMP)
    template = (parsed.operands[0].begins if parsed.operands else "tmp.XXXXXXXXXX").removeprefix("/tmp/")  # noqa: S108
    folder = parsed.value("-p", "--tmpdir")
    somewhere = parsed.operands and not parsed.has("-t", "-p", "--tmpdir")
    if any(name not in _ABOUT for name, _ in parsed.options) or len(parsed.operands) > 1:
        return None
    if (somewhere and not parsed.operands[0].begins.startswith("/tmp/")) or (folder and folder.text != "/tmp"):  # noqa: S108
        return None
    suffix = parsed.value("--suffix")
    name = template + (suffix.begins if suffix else "")
    return f"/tmp/{name}" if _TEMPLATE.fullmatch(name) else None  # noqa: S108
