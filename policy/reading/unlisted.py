"""Commands in the words of programs that nobody listed: wrapper rm -rf x, viewer --pager='sh -c x'."""

import re
from collections.abc import Iterator

from policy.programs import PROGRAMS
from policy.reading.effect import Call, Effects, Run, RunScript
from policy.reading.piece import Word

# What is worth an evasion. A word of them with more behind it is taken for a command that the program runs.
_WORTH = frozenset((
    "bash", "dash", "dd", "env", "find", "git", "ksh", "python3", "rm", "sh", "shred", "sudo", "xargs", "zsh",
))  # fmt: skip
# Programs whose words are data: names to look up, to install, to print, to signal.
_DATA = PROGRAMS.keys() | frozenset((
    "[", "[[", "apropos", "apt", "apt-cache", "apt-file", "apt-get", "aptitude", "apk", "basename", "brew", "cowsay",
    "dirname", "dnf", "dpkg", "dpkg-query", "echo", "expr", "false", "getent", "help", "history", "info", "kill",
    "killall", "ldd", "logger", "man", "pgrep", "pidof", "pkill", "printf", "ps", "rpm", "seq", "set", "sleep", "test",
    "tldr", "tr", "true", "type", "whatis", "whereis", "which", "yum",
))  # fmt: skip
# The same, but what stands behind two dashes they may run.
_INSTALLERS = frozenset(("cargo", "conda", "gem", "gh", "npm", "pip", "pip3", "pipx", "pnpm", "uv", "yarn"))
_TEXT_OPTION = re.compile(r"--(?:(?:[a-z]+-)*(?:askpass|cmd|command|editor|exec|execute|hook|pager|pre|program|run|runner|shell)|on-[a-z-]+)")  # fmt: skip


def run(call: Call) -> Effects:
    """A guess, so it only adds: texts of options that name a command, and the command behind the program's own words."""
    return (*_texts(call), *_tail(call))


def _texts(call: Call) -> Iterator[RunScript]:
    """A text without a space in it names a program and nothing that is done with it."""
    for before, word in zip(call.words, call.operands, strict=False):
        option, equals, text = word.begins.partition("=")
        if not (equals and _TEXT_OPTION.fullmatch(option)):
            option, text = before.begins, word.begins
        if word.text is not None and _TEXT_OPTION.fullmatch(option) and " " in text.strip():
            yield RunScript(text, "sh", f"{call.name} {option}", lenient=True)


def _tail(call: Call) -> Iterator[Run]:
    if call.name in _DATA:
        return
    words = _behind_dashes(call.operands) if call.name in _INSTALLERS else call.operands
    for index, word in enumerate(words[:-1]):
        if word.begins.rpartition("/")[2] in _WORTH and word.text is not None:
            yield Run(words[index:], call.name)
            return


def _behind_dashes(words: tuple[Word, ...]) -> tuple[Word, ...]:
    return next((words[index + 1 :] for index, word in enumerate(words) if word.text == "--"), ())
