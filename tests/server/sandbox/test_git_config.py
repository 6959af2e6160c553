from pathlib import Path

import pytest

from server.sandbox.git_config import obeyed
from tests.real_git import git, repository

pytestmark = pytest.mark.promise("workspace.copy")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return repository(tmp_path / "project", {"a": "a\n"})


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("core.hooksPath", "tools", "tools"),
        ("core.hooksPath", "./scripts/git hooks/", "scripts/git hooks"),
        ("core.hooksPath", "FOLDER/inside#1", "inside#1"),
        ("core.hooksPath", 'a "quoted" one', 'a "quoted" one'),
        ("core.hooksPath", "a\\b", "a\\b"),
        ("core.hooksPath", "tab\there", "tab\there"),
        ("include.path", "../.gitsettings", ".gitsettings"),
        ("includeIf.onbranch:main.path", "../more", "more"),
        ("core.fsmonitor", "tools/watch --all", "tools/watch"),
        ("filter.x.clean", 'sh -c "tools/clean %f"', "tools/clean"),
        ("diff.external", "bin/differ", "bin/differ"),
        ("difftool.x.path", "bin/tool", "bin/tool"),
        ("alias.up", "!./bin/up && true", "bin/up"),
        ("core.pager", "~/x/less; bin/less", "bin/less"),
    ],
)
def test_what_its_settings_name_is_told_as_git_itself_wrote_it(
    folder: Path, key: str, value: str, expected: str
) -> None:
    git(folder, "config", key, value.replace("FOLDER", str(folder)))

    assert obeyed(folder) == {expected}


def test_a_worktree_has_its_repositorys(folder: Path) -> None:
    git(folder, "config", "core.hooksPath", "tools")
    git(folder, "worktree", "add", "-q", str(folder.parent / "tree"))

    assert obeyed(folder.parent / "tree") == {"tools"}


def test_what_is_elsewhere_or_no_program_is_not(folder: Path, tmp_path: Path) -> None:
    for key, value in (
        ("core.hooksPath", "/usr/share/hooks"),
        ("core.editor", "vim"),
        ("branch.main.merge", "refs/heads/main"),
        ("remote.origin.url", "../a/b"),
        ("include.path", "local"),  # beside it, in .git
    ):
        git(folder, "config", key, value)

    assert obeyed(folder) == frozenset()
    assert obeyed(tmp_path) == frozenset()


def test_odd_spellings_are_read_and_nonsense_is_not(folder: Path) -> None:
    (folder / ".git/config").write_text(
        '[CORE] HooksPath = "a;b" ; why\n[core "x"]\nhookspath=\\\nc # d\n[[\n=\n[core\n'
    )

    assert obeyed(folder) == {"a;b", "c"}


def test_a_link_is_not_followed(folder: Path) -> None:
    (folder / ".git").rename(folder / "real")
    (folder / ".git").symlink_to("real")

    assert obeyed(folder) == frozenset()
