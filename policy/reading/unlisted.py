"""Commands in the words of programs that nobody listed: wrapper rm -rf x, viewer --pager='sh -c x'."""

import re
from collections.abc import Iterator

from policy.programs import PROGRAMS
from policy.reading.builtins import BUILTINS
from policy.reading.effect import Call, Effects, Run, RunInline, RunScript, RunStdin
from policy.reading.piece import Word
from policy.reading.remote import REMOTE
from policy.reading.shells import BASH_LIKE, INTERPRETERS

# What is worth an evasion. A word of them with more behind it is taken for a command that the program runs.
_WORTH = frozenset((
    "bash", "busybox", "chgrp", "chmod", "chown", "dash", "dd", "env", "find", "git", "ksh", "mv", "python3", "rm", "sh",
    "shred", "sudo", "truncate", "xargs", "zsh",
))  # fmt: skip
# Programs whose words are data: names to look up, to install, to print, to signal.
_DATA = PROGRAMS.keys() | frozenset((
    "[", "[[", "apropos", "apt", "apt-cache", "apt-file", "apt-get", "aptitude", "apk", "basename", "brew", "cowsay",
    "dirname", "dnf", "dpkg", "dpkg-query", "echo", "expr", "false", "getent", "help", "history", "info", "kill",
    "killall", "ldd", "logger", "man", "pgrep", "pidof", "pkill", "printf", "ps", "rpm", "seq", "set", "sleep", "test",
    "tldr", "tr", "true", "type", "whatis", "whereis", "which", "yum",
))  # fmt: skip
# The same, but what stands behind two dashes, or behind one of these verbs, they may run.
_INSTALLERS = frozenset(("cargo", "conda", "gem", "gh", "npm", "pip", "pip3", "pipx", "pnpm", "uv", "yarn"))
_VERBS = frozenset(("--", "exec", "explore"))
# Of programs whose words are data these take a command in an option all the same.
_PACKAGERS = frozenset(("apt", "apt-get", "aptitude", "brew", "dnf", "dpkg", "rpm", "yum"))
# Whose texts are read elsewhere, say how things look, or are messages.
_OWN_TEXTS = frozenset(("gh", "git", "gsed", "sed")) | BUILTINS.keys() | REMOTE.keys() | INTERPRETERS.keys() | BASH_LIKE
# A command where an option's value, a text of the program's own or an action in one may begin.
_COMMAND = re.compile(
    r"(?:^|[!|%:=;&({\"'])\s*(?:(?:\.?shell|\.?system)\s+)?"
    rf"((?:/[\w./-]{{0,64}}/)?(?:{'|'.join(sorted(_WORTH | {'cat'}))})\s+(?:\S+\s+)?(?:--?\w|[./~]\S).*)",
    re.DOTALL,
)
_SHELL_OF_MAKE = re.compile(r"SHELL:?=(?:/usr)?/bin/(?:ba|da|z)?sh(?: -[eux]+)*")  # no command, but what runs them
_CLOSING = re.compile(r"[)}\"']")  # what ends a command that does not begin its text
_ENV = re.compile(r"--(?:$|[iucbdnlavh]|s(?!hell))")  # env's own long options, as short as they may be
_TEXT_OPTION = re.compile(r"--(?:(?:[a-z]+-)*(?:askpass|cmd|command|editor|exec|execute|hook|invoke|logger|pager|pre|program|run|run_under|runner|shell|wrap|wrapper)|on-[a-z-]+)")  # fmt: skip


def run(call: Call) -> Effects:
    """A guess, so it only adds: texts of options that name a command, and the command behind the program's own words."""
    return (*_texts(call), *_tail(call), *_spoken(call))


def beside(call: Call, found: Effects) -> Effects:
    """The same of a program that is listed, for texts beside those that its own reading found."""
    if call.name in _OWN_TEXTS or any(isinstance(effect, Run | RunStdin) for effect in found):
        return ()
    read = [effect.code or "" for effect in found if isinstance(effect, RunScript | RunInline)]
    texts = (each for each in (*_texts(call), *_spoken(call)) if not any((each.code or "") in code for code in read))
    return tuple(dict.fromkeys(texts))


def _texts(call: Call) -> Iterator[RunScript]:
    """A text without a space in it names a program and nothing that is done with it."""
    for before, word in zip(call.words, call.operands, strict=False):
        option, equals, text = word.begins.partition("=")
        if not (equals and _TEXT_OPTION.fullmatch(option)):
            option, text = before.begins, word.begins
        if word.text is not None and _TEXT_OPTION.fullmatch(option) and " " in text.strip():
            yield RunScript(text, "sh", f"{call.name} {option}", lenient=True)


def _spoken(call: Call) -> Iterator[RunScript]:
    """A text among its words that is a command with an option or a path; a sentence has neither."""
    if call.name not in _DATA - _PACKAGERS and call.name not in _OWN_TEXTS:
        texts = (word.text for word in call.operands if word.text is not None)
        found = (_COMMAND.search(text) for text in texts if not _SHELL_OF_MAKE.fullmatch(text))
        for match in found:
            if match:
                text = _CLOSING.split(match[1], maxsplit=1)[0] if match.start(1) else match[1]
                yield RunScript(text, "sh", call.name, lenient=True)


def _tail(call: Call) -> Iterator[Run]:
    if call.name in _DATA:
        return
    words = _behind_dashes(call.operands) if call.name in _INSTALLERS else call.operands
    for index, word in enumerate(words[:-1]):
        name = word.begins.rpartition("/")[2]
        if name == "env" and words[index + 1].begins.startswith("--") and not _ENV.match(words[index + 1].begins):
            continue  # a verb of its own: fnm env --shell bash
        if name in _WORTH and word.text is not None:
            yield Run(words[index:], call.name)
            return


def _behind_dashes(words: tuple[Word, ...]) -> tuple[Word, ...]:
    return next((words[index + 1 :] for index, word in enumerate(words) if word.text in _VERBS), ())
