"""What a repository and its person leave out beside .gitignore files, compared with the real git."""

import os
import subprocess
from pathlib import Path

import pytest

from server.sandbox.excludes import excludes
from server.sandbox.host_folder import opened
from server.sandbox.survey import survey
from tests.real_git import git, repository


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "home"
    (made / ".config/git").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(made))
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = repository(tmp_path / "project", {".gitignore": "!kept.log\n", "a": ""})
    for name in ("x.log", "kept.log", "x.swp", "x.tmp", "deep/y.log"):
        (made / name).parent.mkdir(exist_ok=True)
        (made / name).touch()
    (made / ".git/info/exclude").write_text("*.log\n!wanted.swp\n")
    return made


def sent(folder: Path) -> set[str]:
    with opened(folder) as root:
        found = survey(root, excludes(folder))
    return {item.path for item in found.items if item.kind == "file" and item.path.partition("/")[0] != ".git"}


def seen_by_git(folder: Path, home: Path) -> set[str]:
    argv = ["git", "-c", "safe.directory=*", "-C", str(folder), "ls-files", "-co", "--exclude-standard"]
    alone = {"PATH": os.environ["PATH"], "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}
    return set(subprocess.run(argv, env=alone, check=True, capture_output=True, text=True).stdout.splitlines())


def test_the_repositorys_own_list_holds_below_every_gitignore(folder: Path, home: Path) -> None:
    assert sent(folder) == seen_by_git(folder, home) == {".gitignore", "a", "kept.log", "x.swp", "x.tmp"}


@pytest.mark.parametrize(
    "settings",
    [
        {".config/git/ignore": "*.swp\n"},
        {".gitconfig": "[core]\n\texcludesFile = ~/mine\n", "mine": "*.swp\n", ".config/git/ignore": "*.tmp\n"},
        {".config/git/config": '[core]\n\texcludesfile = "~/mine"\n', "mine": "*.swp\n"},
        {".config/git/config": "[core]\nexcludesfile = ~/no\n", ".gitconfig": "[core]\nexcludesfile = ~/mine\n", "mine": "*.swp\n"},
    ],
)  # fmt: skip
def test_a_persons_list_for_all_of_theirs_holds_below_that(folder: Path, home: Path, settings: dict[str, str]) -> None:
    for name, text in settings.items():
        (home / name).write_text(text)
    (folder / "wanted.swp").touch()

    assert sent(folder) == seen_by_git(folder, home) == {".gitignore", "a", "kept.log", "wanted.swp", "x.tmp"}


def test_a_worktree_has_its_repositorys(folder: Path, home: Path) -> None:
    tree = folder.parent / "tree"
    git(folder, "worktree", "add", "-q", str(tree))
    (tree / "x.log").touch()

    assert sent(tree) == seen_by_git(tree, home) == {".gitignore", "a"}


@pytest.mark.promise("workspace.copy")
def test_nothing_is_read_through_a_link_that_a_folder_brings(tmp_path: Path, home: Path) -> None:
    (tmp_path / "other/info").mkdir(parents=True)
    (tmp_path / "other/info/exclude").write_text("*\n")
    (tmp_path / "in/.git/info").mkdir(parents=True)
    (tmp_path / "in/.git/info/exclude").symlink_to("../../../other/info/exclude")
    (tmp_path / "in/file").touch()
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked/.git").symlink_to("../other")
    (tmp_path / "linked/file").touch()

    assert sent(tmp_path / "in") == {"file"}
    assert sent(tmp_path / "linked") == {"file"}


def test_a_list_that_cannot_be_read_leaves_nothing_out(tmp_path: Path, home: Path) -> None:
    (home / ".gitconfig").write_text("[core]\nexcludesfile = ~/fifo\n")
    os.mkfifo(home / "fifo")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/file").touch()

    assert sent(tmp_path / "in") == {"file"}
