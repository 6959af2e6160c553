"""`sandgate init`: three questions at most, and a file that explains every setting."""

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.prompt import Prompt

from server.ops import presets
from server.ops.user_settings import NotSaved, alone, save
from server.sandbox.engine import NoEngine, find_engine
from server.sandbox.image_recipe import AGENT
from server.sandbox.workspaces import BadWorkspace, parse
from server.settings.files import checked, load, settings_files, user_file
from server.settings.settings import ENVIRON, HOME, BadSettings
from server.settings.template import TEMPLATE
from server.wiring.workspaces import workspaces

PROFILES: Final = ("open", "standard", "strict")
_PROFILE: Final = re.compile(r'^# (profile) = "standard" ?', re.MULTILINE)
_HOSTS: Final = re.compile(r"^(\[egress\]\n)# (allow) = \[\] {0,20}", re.MULTILINE)
_FOLDER: Final = re.compile(r'^# mode = "copy" .*\n', re.MULTILINE)


def init(arguments: argparse.Namespace) -> int:
    path = user_file()
    if not arguments.print:
        _demand_none(path)
    if not arguments.yes and not arguments.print and sys.stdin.isatty() and sys.stdout.isatty():
        _ask(arguments)
    text = filled(arguments.profile, arguments.workspace, tuple(_hosts(arguments.allow)))
    if arguments.print:
        print(text, end="")
        return 0
    with alone(path):
        _demand_none(path)  # still: to answer takes a person a while
        save(path, text)
    print(f"wrote {path}; every line in it is a default or what you chose, change what you like")
    print(f"next: {'' if _has_images() else 'sandgate images build, then '}sandgate install CLIENT")
    return 0


def _demand_none(path: Path) -> None:
    if path.exists():
        raise NotSaved(f"{path} exists; edit it, or see all settings with `sandgate init --print`")


def _has_images() -> bool:
    """Those that sandboxes start from unless somebody says others; without an engine nothing is there."""
    from server.sandbox.image_build import (  # noqa: PLC0415 - questions come first, and need not wait for it
        DEFAULT_IMAGES,
        BuildFailed,
        list_images,
    )

    try:
        states = list_images(find_engine(ENVIRON, HOME, load().state_dir).url)
    except (NoEngine, BuildFailed):
        return False
    return all(state.state == "current" for state in states if state.image in (*DEFAULT_IMAGES, AGENT))


def filled(profile: str | None, folder: str | None, hosts: tuple[str, ...]) -> str:
    """The template with what was chosen. Raises BadSettings, and BadWorkspace for a folder that is not lent."""
    text = TEMPLATE
    if profile:
        text = _PROFILE.sub(lambda found: f"{found[1]} = {json.dumps(profile)} ", text, count=1)
    if hosts:
        listed = ", ".join(map(json.dumps, hosts))
        text = _HOSTS.sub(lambda found: f"{found[1]}{found[2]} = [{listed}]  ", text, count=1)
    if folder:
        path, mode = parse(folder)
        whole = json.dumps(str(path.expanduser().absolute()))
        lent = f'\n[[workspace]]\npath = {whole}\nmode = "{mode}"\n'
        text = _FOLDER.sub(lambda found: f"{found[0]}{lent}", text, count=1)
    workspaces(checked(tomllib.loads(text), "what you chose"), settings_files())
    return text


def _ask(arguments: argparse.Namespace) -> None:
    """What no option said. An empty answer is the default."""
    console = Console()
    if arguments.profile is None:
        console.print(
            "standard: what a developer needs runs, what destroys or leaves asks. strict: only programs on your list. "
            "open: anything, in the sandbox."
        )
        arguments.profile = Prompt.ask("Profile", choices=list(PROFILES), default="standard", console=console)
    if arguments.workspace is None:
        console.print("A folder of yours that each sandbox gets a copy of; DIR:rw or DIR:ro mounts the folder itself.")
        arguments.workspace = _asked(console, "Folder (none)", lambda said: filled(None, said, ()))
    if not arguments.allow:
        console.print("The network is closed. Package managers whose own index sandboxes may reach, or hosts:")
        known = ", ".join(sorted(presets.PRESETS))
        said = _asked(
            console,
            f"Any of {known}, example.com (none)",
            lambda said: filled(None, None, tuple(_hosts(_words(said)))),
        )
        arguments.allow = _words(said)


def _asked(console: Console, question: str, check: Callable[[str], object]) -> str:
    """Again, with the reason, until the answer will do: what was answered before is not lost."""
    while True:
        said = Prompt.ask(question, default="", show_default=False, console=console)
        try:
            check(said)
        except (BadSettings, BadWorkspace, NotSaved) as exc:
            console.print(str(exc), markup=False, highlight=False)
        else:
            return said


def _words(said: str) -> list[str]:
    words = said.replace(",", " ").split()
    return [presets.PREFIX + word if word in presets.PRESETS else word for word in words]


def _hosts(wanted: list[str]) -> list[str]:
    found: list[str] = []
    for word in wanted:
        if word.startswith(presets.PREFIX):
            found += presets.hosts(word.removeprefix(presets.PREFIX), ENVIRON, presets.asked)
        else:
            found.append(word)
    return list(dict.fromkeys(found))
