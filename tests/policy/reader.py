"""Readings for tests: the pure reader, with the real parser run for each text it asks for."""

import json
import subprocess
import sysconfig
from functools import cache
from pathlib import Path

from policy.command import Reading, SimpleCommand
from policy.reading.script import Reader, read_argv, read_script
from policy.reading.tree import Tree, Unparsable

SHFMT = str(Path(sysconfig.get_path("scripts")) / "shfmt")
CWD, HOME, WORKSPACES = "/workspace", "/home/dev", ("/workspace",)


@cache
def parse(text: str) -> Tree | Unparsable:
    done = subprocess.run(
        [SHFMT, "-ln", "bash", "--to-json"],
        input=text.encode("utf-8", "surrogatepass"),
        capture_output=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        return Unparsable(done.stderr.decode("utf-8", "replace"))
    tree: Tree = json.loads(done.stdout)
    return tree


def answer(reader: Reader) -> Reading:
    try:
        text = next(reader)
        while True:
            text = reader.send(parse(text))
    except StopIteration as end:
        reading: Reading = end.value
        return reading


def read(text: str, cwd: str = CWD) -> Reading:
    return answer(read_script(text, cwd, HOME, WORKSPACES))


def read_words(*argv: str) -> Reading:
    return answer(read_argv(argv, CWD, HOME, WORKSPACES))


def commands(text: str) -> list[SimpleCommand]:
    """The commands with words, in the order bash meets them."""
    return [command for command in read(text).commands if command.argv]


def argvs(text: str) -> list[tuple[str | None, ...]]:
    return [command.argv for command in commands(text)]


def named(text: str, name: str) -> SimpleCommand:
    """The one command of that name."""
    (found,) = [command for command in commands(text) if command.name == name]
    return found
