"""What well-known programs print, as far as it decides anything: mktemp a path, others the lines that set them up."""

import re

from policy.reading.options import Grammar, parse
from policy.reading.piece import static

_MKTEMP = Grammar(short="p", long=("suffix",))
_ABOUT = frozenset(("-d", "-q", "-t", "-p", "-u", "--directory", "--quiet", "--dry-run", "--tmpdir", "--suffix"))
_TEMPLATE = re.compile(r"[\w-][\w.-]*X{3}X*[\w.-]*", re.ASCII)
_MADE = re.compile(r"^/tmp/[\w.-]*X{3}", re.ASCII)

# Each prints lines for `eval` that put its own tool in place. Its text is as good as the program that prints it.
_SET_UP = frozenset((
    ("brew", "shellenv"), ("conda", "shell.bash", "hook"), ("dircolors", "-b"), ("direnv", "hook", "bash"),
    ("fnm", "env"), ("fnm", "env", "--use-on-cd"), ("goenv", "init", "-"), ("mamba", "shell", "hook", "--shell", "bash"),
    ("micromamba", "shell", "hook", "-s", "bash"), ("mise", "activate", "bash"), ("nodenv", "init", "-"),
    ("opam", "env"), ("pyenv", "init", "-"), ("pyenv", "init", "-", "bash"), ("pyenv", "init", "--path"),
    ("pyenv", "virtualenv-init", "-"), ("rbenv", "init", "-"), ("rbenv", "init", "-", "bash"), ("ssh-agent",),
    ("ssh-agent", "-s"), ("starship", "init", "bash"), ("zoxide", "init", "bash"),
))  # fmt: skip


def sets_up(argv: list[str]) -> str | None:
    """A command that does nothing, in the place of the lines; None if it is not one of these programs."""
    return ": " + " ".join(argv) if tuple(argv) in _SET_UP else None


def counts(pipeline: list[list[str]]) -> bool:
    """Whether it prints numbers only."""
    *before, last = pipeline or [[]]
    match last:
        case ["nproc"] | ["id", "-u" | "-g"] | ["date", "+%s" | "+%s%N"]:
            return True
        case ["wc", "-l" | "-c" | "-w" | "-m"]:
            return True
        case ["cut", "-d:", "-f1"] | ["cut", "-f1", "-d:"]:
            return bool(before) and _numbers_lines(before[0]) and all(argv[:1] in _PASSING for argv in before[1:])
        case _:
            return False


_PASSING = (["head"], ["tail"], ["sort"])  # lines as they are
_FLAGS = re.compile(r"-[A-Za-z]*")


def _numbers_lines(argv: list[str]) -> bool:
    """grep -n of one file or of its input: each line begins with its number."""
    flags = "".join(word[1:] for word in argv[1:] if _FLAGS.fullmatch(word))
    words = [word for word in argv[1:] if not word.startswith("-")]
    known = all(_FLAGS.fullmatch(word) or not word.startswith("-") for word in argv)
    most = 2  # the pattern and the file
    return argv[:1] == ["grep"] and known and "n" in flags and not set(flags) - set("nEFPiwxm") and len(words) <= most


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
