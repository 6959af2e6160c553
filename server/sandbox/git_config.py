"""What the settings of a host's own repository make git run or obey in its folder: hooks that lie elsewhere, settings that
are included, filters and the like. Read here, never by git, and never through a link.
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from server.sandbox.host_folder import opened, read_small
from server.sandbox.worktree import repository_of

MOST: Final = 1 << 18  # bytes of settings that are read
FILES: Final = ("config", "config.worktree")

# Of these sections a value may be a program, or words that begin with one.
RUN: Final = frozenset({
    "core", "include", "includeif", "filter", "diff", "difftool", "merge", "mergetool", "gpg", "credential", "alias", "pager",
    "interactive", "sequence", "hook",
})  # fmt: skip
# And these are a path even without a slash in it.
PATHS: Final = frozenset({("core", "hookspath"), ("include", "path"), ("includeif", "path")})

_SECTION: Final = re.compile(r'\[\s*([A-Za-z0-9-]+)(?:\.[^\]"]*|\s+"(?:[^"\\]|\\.)*")?\s*\](.*)')
_SETTING: Final = re.compile(r"([A-Za-z][A-Za-z0-9-]*)\s*=\s*(.*)")
_ESCAPED: Final = {"n": "\n", "t": "\t", "b": "\b"}


def obeyed(folder: Path) -> frozenset[str]:
    """Paths below the folder, relative to it, that its repository's settings name; nothing where it is no repository."""
    repository = repository_of(folder) or folder / ".git"
    found = set[str]()
    with suppress(OSError), opened(repository) as handle:
        for name in FILES:
            text = (read_small(handle, name, MOST) or b"").decode("utf-8", "surrogateescape")
            found.update(_below(folder, repository, text))
    return frozenset(found)


def _below(folder: Path, repository: Path, text: str) -> Iterator[str]:
    for section, key, value in settings_of(text):
        sure = (section, key) in PATHS
        for word in [value] if sure else re.split(r"[\s!;|&()<>'\"=]+", value):
            if not sure and "/" not in word:
                continue
            start = repository if key == "path" and sure else folder  # what is included is looked for beside this file
            home, _, rest = word.partition("/")
            path = Path(os.path.normpath(Path.home() / rest if home == "~" else start / word))
            if path != folder and path.is_relative_to(folder) and not path.is_relative_to(folder / ".git"):
                yield str(path.relative_to(folder))


def settings_of(text: str) -> Iterator[tuple[str, str, str]]:
    """Section, key and value of each that could matter; what git would not read either is left out."""
    section = ""
    for line in text.replace("\\\n", "").splitlines():
        rest = line.strip()
        if match := _SECTION.match(rest):
            section, rest = match[1].lower(), match[2].strip()
        if section in RUN and (match := _SETTING.match(rest)):
            yield section, match[1].lower(), _value(match[2])


def _value(text: str) -> str:
    """Without its quotes, and without the comment behind it."""
    out, quoted, place = "", False, 0
    while place < len(text):
        letter = text[place]
        if letter == "\\":
            place += 1
            out += _ESCAPED.get(text[place : place + 1], text[place : place + 1])
        elif letter == '"':
            quoted = not quoted
        elif letter in "#;" and not quoted:
            break
        else:
            out += letter
        place += 1
    return out.strip()
