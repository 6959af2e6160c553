import importlib
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.images.world import AGENT

sys.path.insert(0, str(AGENT))  # the agent is a folder on PID 1's path, not a package
ignore: Any = importlib.import_module("ignore")


@pytest.mark.parametrize(
    ("glob", "path", "means"),
    [
        ("*.py", "a.py", True),
        ("*.py", "src/deep/a.py", True),
        ("*.py", "a.pyc", False),
        ("src/*.py", "src/a.py", True),
        ("src/*.py", "x/src/a.py", False),
        ("src/**", "src/x/y", True),
        ("**/test_*", "a/b/test_x", True),
        ("/a*", "abc", True),
        ("/a*", "x/abc", False),
        ("*.{ts,tsx}", "x/a.tsx", True),
        ("*.{ts,tsx}", "x/a.js", False),
        ("{a,b{c,d}}.x", "bd.x", True),
        ("{open", "{open", True),
        ("!*.min.js", "a.min.js", False),
        ("!*.min.js", "a.js", True),
        ("docs/", "docs/x/y.md", True),
        ("[a-c]?.t", "bz.t", True),
        ("[!a]*", "abc", False),
        (r"\*", "*", True),
        (".env", "a/.env", True),
        ("[", "[", False),
    ],
)
def test_a_glob_means_what_it_means_elsewhere(glob: str, path: str, means: object) -> None:
    assert ignore.compile_glob(glob).means(path) is means


def ignored(tree: dict[str, str], path: str) -> bool:
    """As the walk does it: a folder that is ignored hides all below."""
    stack, parts = [ignore.Rules(tree.get("", ""), "")], path.split("/")
    for depth in range(1, len(parts)):
        folder = "/".join(parts[:depth]) + "/"
        if ignore.ignored(folder, stack):
            return True
        stack.append(ignore.Rules(tree.get(folder, ""), folder))
    return bool(ignore.ignored(path, stack))


def git_ignored(folder: Path, tree: dict[str, str], paths: list[str]) -> set[str]:
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    for base, text in tree.items():
        (folder / base).mkdir(parents=True, exist_ok=True)
        (folder / base / ".gitignore").write_text(text)
    shown = subprocess.run(
        ["git", "-C", str(folder), "ls-files", "-z", "-co", "--exclude-standard"], check=True, capture_output=True
    ).stdout
    return set(paths) - set(shown.decode().split("\0"))


FOLDERS = ["", "a/", "a/b/", "a/b/c/", "lib/", "a/lib/", ".h/", "a b/"]
NAMES = ["x.py", "x.pyc", "keep.log", "y.log", "lib", "a", "#x", "!x", "x ", "[z]", "Makefile", ".hidden", "b.c.d"]
LINES = [
    "*.pyc", "*.log", "!keep.log", "lib", "lib/", "/lib", "/a/lib/", "a/*/c", "**/c", "a/**", "a/**/x.py", "**/b/**", "!a/b/x.py",
    "# comment", "", "   ", r"\#x", r"\!x", "x\\ ", "[z]", r"\[z\]", "[!x]*.log", "[a-k]*.log", "?.py", "/*", "!/a/", "!x.py", "*", "b/c/", "a/b",
    "**", "a/*", "lib/*", "/**/lib", "[[:alpha:]].log", "a**b", "*.c.*", "!*/", "Make*e", "trailing  ", "foo\\", "[", "/a b/", "c/**/", "***", "a/***",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(12))
def test_gitignore_files_hide_what_they_hide_from_git(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    every = [f"{folder}{name}" for folder in FOLDERS for name in NAMES]
    folders = {path.rpartition("/")[0] for path in every}
    paths = [path for path in every if path not in folders]
    for turn in range(4):
        tree = {
            folder: "\n".join(chance.sample(LINES, chance.randint(1, 5))) + chance.choice(["\n", "\r\n", ""])
            for folder in chance.sample(FOLDERS, chance.randint(1, 4))
        }
        expected = git_ignored(tmp_path / str(turn), tree, paths)
        assert {path for path in paths if ignored(tree, path)} == expected, tree
