"""What a person's yes is bound to beside the call itself: the session, and what the files hold that the command names.

A variable or an option may lead a program to a file or a folder that it obeys (GIT_CONFIG_GLOBAL, core.hooksPath,
PYTHONPATH, HOME): whatever its value may name is looked at, folders with everything in them. What such a file runs in
turn is not: a script that a Makefile calls, a module that a program imports.
"""

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from typing import Final

from policy.command import Assign, SimpleCommand
from policy.operands import operands
from policy.path import area, normalise, within
from policy.question import Question
from policy.reading.printed import is_made

MOST_PATHS: Final = 1_000  # that are looked at for one call
MOST_TEXT: Final = 100_000  # characters of all those paths, so that they fit into one request
MOST_BYTES: Final = 32 << 20  # of all files together that are hashed: about 100 ms in a sandbox
_LONGEST: Final = 4096  # what Linux opens
_PROGRAMS: Final = (".venv/bin", ".local/bin", "bin")  # of a home: where a command may put what a bare name then runs

_APART: Final = re.compile(r"[\s:;,=@'\"]+")  # what stands between several paths in one value
_NO_PATH: Final = re.compile(r"[\0\n]|^[0-9]+$")
_STANDS: Final = frozenset(
    ("-C", "--directory", "--prefix", "--cwd", "--dir", "--work-tree")
)  # what is implied there is held
_FOR_ITSELF: Final = frozenset(
    ("read", "mapfile", "readarray", "printf", "local", "getopts")
)  # set no program's variable

_MAKE = ("GNUmakefile", "makefile", "Makefile")
_NODE = ("package.json", ".npmrc")
_PYTEST = ("conftest.py", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")
_BUILD = ("pyproject.toml", "setup.py", "setup.cfg")
_HOOKS = ("pre-push", "pre-commit", "commit-msg", "prepare-commit-msg", "post-commit", "post-checkout", "post-merge")
_GIT = (".git", ".git/config", *(f".git/hooks/{hook}" for hook in _HOOKS))
# What a program reads and obeys although nobody names it.
IMPLIED: Final = {
    "make": _MAKE,
    "gmake": _MAKE,
    "ninja": ("build.ninja",),
    "just": ("justfile", "Justfile", ".justfile"),
    "task": ("Taskfile.yml", "Taskfile.yaml"),
    "rake": ("Rakefile", "rakefile"),
    "npm": _NODE,
    "npx": _NODE,
    "pnpm": _NODE,
    "yarn": (*_NODE, ".yarnrc", ".yarnrc.yml"),
    "bun": _NODE,
    "pytest": _PYTEST,
    "tox": ("tox.ini", "pyproject.toml", "setup.cfg", "tox.toml"),
    "nox": ("noxfile.py",),
    "pip": _BUILD,
    "uv": (*_BUILD, "uv.toml"),
    "cargo": ("Cargo.toml", "build.rs", ".cargo/config.toml"),
    "mvn": ("pom.xml",),
    "gradle": ("build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts", "gradle.properties"),
    "gradlew": ("build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts", "gradle.properties"),
    "mvnw": ("pom.xml", ".mvn/maven.config", ".mvn/jvm.config", ".mvn/wrapper/maven-wrapper.properties"),
    "hg": (".hg/hgrc",),
    "corepack": _NODE,
    "cmake": ("CMakeLists.txt", "CMakePresets.json"),
    "docker": ("Dockerfile", "compose.yaml", "compose.yml", "docker-compose.yml"),
    "twine": (".pypirc",),
    "git": _GIT,
}
# The same in the home folder, where a line sends a push elsewhere, or has another program run by it.
_NODE_HOME = (".npmrc", ".yarnrc", ".yarnrc.yml", ".bunfig.toml", ".config/pnpm/rc")
_SSH = (".ssh/config", ".ssh/known_hosts")
_GIT_HOME = (".gitconfig", ".config/git/config", ".config/git/hooks/pre-push", ".git-credentials", *_SSH)
AT_HOME: Final = {
    **dict.fromkeys(("npm", "npx", "pnpm", "yarn", "bun"), _NODE_HOME),
    **dict.fromkeys(("ssh", "scp", "sftp", "rsync"), _SSH),
    "git": _GIT_HOME,
    "hg": (".hgrc", ".config/hg/hgrc", *_SSH),
    "gh": (".config/gh/config.yml", ".config/gh/hosts.yml", *_GIT_HOME),
    "pip": (".config/pip/pip.conf", ".pip/pip.conf"),
    "uv": (".config/uv/uv.toml",),
    "twine": (".pypirc",),
    "cargo": (".cargo/config.toml", ".cargo/config", ".cargo/credentials.toml"),
    "mvn": (".m2/settings.xml", ".mavenrc"),
    "gradle": (".gradle/gradle.properties", ".gradle/init.gradle", ".gradle/init.gradle.kts"),
    "docker": (".docker/config.json",),
    "kubectl": (".kube/config",),
    "aws": (".aws/config", ".aws/credentials"),
    "curl": (".curlrc", ".config/curlrc", ".netrc"),
    "wget": (".wgetrc", ".netrc"),
}


@dataclass(frozen=True, slots=True)
class HeldFile:
    """A regular file as it was seen. sha256: of its first `hashed` bytes, which are all of them where they could be.

    Where the path ends in a slash it is a folder with everything in it, and entries are counted instead of bytes.
    """

    path: str
    size: int
    hashed: int
    sha256: str

    @property
    def is_folder(self) -> bool:
        return self.path.endswith("/")


@dataclass(frozen=True, slots=True)
class Named:
    """Paths at which something may lie that a command obeys or sends: files, and folders that are held with all in them.

    loose: what else it may obey and cannot be held, as sentences.
    """

    paths: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    loose: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """What a yes is bound to beside the question.

    session: the id of the very session, not its name. disturbed: other commands run in it now, and may change the files
    at any time. loose: what else could change, as sentences: then a yes is good for once only. shows: what the call
    carries that its arguments do not show.
    """

    session: str = ""
    files: tuple[HeldFile, ...] = ()
    disturbed: bool = False
    loose: tuple[str, ...] = ()
    shows: str = ""


def named_files(question: Question) -> Named:
    """What the command obeys or sends, as far as there are bounds.

    Those that are run come first. Those that it may only write are not among them.
    """
    home, roots = question.session.home, (*question.session.workspaces, question.session.home)
    here = [command for command in question.reading.commands if not command.elsewhere]
    given = [path for command in here for path in _given(command, home)]
    homes = (home, *(path for command in here for path in _homes(command, home)))
    implied = (path for command in here for each in homes for path in _implied(command, each, roots))
    run = (path for command in here for path in _named(command, home, command.argv[:1]))
    named = (path for command in here for path in _named(command, home, command.argv))
    written = {use.resolved for use in question.paths if use.op in ("write", "delete")}
    read = {use.resolved for use in question.paths if use.op == "read"}
    found, room = dict[str, None](), MOST_TEXT
    loose = dict.fromkeys(sentence for command in here for sentence in _unknown(command))
    only_written = written - read - set(given)
    for path in (*implied, *run, *given, *named, *sorted(read)):
        if path in found or path in only_written or not 0 < len(path) < _LONGEST:
            continue
        room -= len(path)
        if len(found) == MOST_PATHS or room < 0:
            loose["it names more files than are looked at: the rest may change"] = None
            break
        found[path] = None
    ours = (path for path in given if area(path, home, question.session.workspaces) in ("workspace", "tmp", "home"))
    return Named(tuple(found), tuple(path for path in dict.fromkeys(ours) if path in found), tuple(loose))


def held_to(named: Named, files: tuple[HeldFile, ...], session: str, *, disturbed: bool, shows: str) -> Held:
    """What was named, as it was found."""
    rest = (
        f"{each.path} holds more than is looked at: the rest may change" for each in files if each.hashed < each.size
    )
    return Held(session, files, disturbed, (*named.loose, *rest), shows)


def _given(command: SimpleCommand, home: str) -> Iterator[str]:
    """What the values of variables and options may name: each a path, or several, or a command with some in it.

    What this very command only writes is left out; that another writes it says nothing.
    """
    stands = [normalise(text, cwd, home) for text in _stands(command) for cwd in _folders(command)]
    for value in (*(each.value or each.appends or each.begins for each in command.assigns), *_values(command)):
        for text in dict.fromkeys((value, *_APART.split(value))):
            if text.startswith(("/", "~")):
                yield normalise(text, "/", home)
            elif text and not _NO_PATH.search(text):
                yield from (normalise(text, cwd, home) for cwd in (*_folders(command), *stands))


def _values(command: SimpleCommand) -> Iterator[str]:
    """Of options and of NAME=VALUE, those left out that only say where a command stands."""
    own = {word.begins for word, op in operands(command) if op in ("write", "delete")}
    yield from (value for _, value in _options(command) if value not in own)


def _options(command: SimpleCommand) -> Iterator[tuple[bool, str]]:
    """Whether it is all that is known before the command runs, and the value or what it begins with."""
    words = list(zip_longest(command.argv, command.known, fillvalue=""))
    for (first, begun), (word, known) in pairwise(words):
        before, text, whole = first or begun or "", word or known or "", word is not None
        if "=" in text and text.partition("=")[0] not in _STANDS:
            yield whole, text.partition("=")[2].removeprefix("@")
        elif text.startswith("-") and not text.startswith("--"):
            yield whole, text[2:]
        elif before.startswith("-") and "=" not in before and before not in _STANDS:
            yield whole, text


def _stands(command: SimpleCommand) -> Iterator[str]:
    for before, word in pairwise(command.argv):
        if before in _STANDS and word:
            yield word


def _homes(command: SimpleCommand, home: str) -> Iterator[str]:
    """Other folders that programs may take for the home folder."""
    for each in command.assigns:
        if each.name == "HOME" and each.value:
            yield from (normalise(each.value, cwd, home) for cwd in _folders(command))


def _unknown(command: SimpleCommand) -> Iterator[str]:
    """Variables and options that programs may obey and whose value is known only when it runs. A script's own variables
    have small letters."""
    if command.name and not all(whole for whole, _ in _options(command)):
        yield f"an option of {command.name} is known only when it runs: what it leads to may change"
    for each in command.assigns:
        obeyed = each.name.isupper() or (command.argv and command.name not in _FOR_ITSELF)
        if obeyed and _is_unknown(each):
            yield f"{each.name} is known only when it runs: what it leads to may change"


def _is_unknown(each: Assign) -> bool:
    return each.appends is None and (each.value is None or is_made(each.value))


def _folders(command: SimpleCommand) -> tuple[str, ...]:
    return tuple(dict.fromkeys(cwd for cwd in (command.cwd, *command.other_cwds) if cwd is not None))


def _named(command: SimpleCommand, home: str, words: Sequence[str | None]) -> Iterator[str]:
    """Each word as a path, with what is behind an `=`, an `@` or the letter of an option; a bare name in a home's programs."""
    if command.path_kind == "bare" and command.name:
        yield from (posixpath.join(home, folder, command.name) for folder in _PROGRAMS)
    for place, word in enumerate(words):
        for text in _texts(word or "", is_name=place == 0):
            if text.startswith(("/", "~")):
                yield normalise(text, "/", home)
            else:
                yield from (normalise(text, cwd, home) for cwd in _folders(command))
    for redirect in command.redirects:
        if redirect.op == "<" and redirect.path:
            yield redirect.path


def _texts(word: str, *, is_name: bool) -> Iterator[str]:
    if not word or "\0" in word or "\n" in word or (is_name and "/" not in word):
        return
    if not word.startswith("-"):
        yield word
        if word.startswith("@"):
            yield word[1:]
    elif not word.startswith("--"):
        yield word[2:]
    if "=" in word:
        yield word.partition("=")[2].removeprefix("@")


def _implied(command: SimpleCommand, home: str, roots: tuple[str, ...]) -> Iterator[str]:
    """Beside where the command starts, above it as far as the workspace goes, in the folders that its words name, and at
    home."""
    name = command.name or ""
    if name.startswith("python") and "-m" in command.argv:
        name = next(iter(command.argv[command.argv.index("-m") + 1 :]), None) or ""
    yield from (posixpath.join(home, each) for each in AT_HOME.get(name, ()))
    names = IMPLIED.get(name, ())
    if not names:
        return
    above = [folder for cwd in _folders(command) for folder in _upward(cwd, roots)]
    words = [path for path in _named(command, home, command.argv) if posixpath.basename(path) not in names]
    for folder in dict.fromkeys((*above, *words)):
        yield from (posixpath.join(folder, each) for each in names)


def _upward(folder: str, roots: tuple[str, ...]) -> Iterator[str]:
    yield folder
    while any(within(folder, root) and folder != root for root in roots):
        folder = posixpath.dirname(folder)
        yield folder
