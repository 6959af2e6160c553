from pathlib import Path

import pytest

from server.sandbox.worktree import repository_of
from tests.real_git import git, repository

pytestmark = pytest.mark.promise("workspace.checked")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    repository(tmp_path / "repo", {"a": "a"})
    git(tmp_path / "repo", "worktree", "add", "-q", str(tmp_path / "tree"))
    return tmp_path / "tree"


def test_a_worktree_knows_its_repository(tree: Path) -> None:
    assert repository_of(tree) == tree.parent / "repo" / ".git"


def test_a_repository_of_its_own_and_a_plain_folder_need_none(tree: Path) -> None:
    assert repository_of(tree.parent / "repo") is None
    assert repository_of(tree.parent) is None


def test_a_private_folder_is_not_copied_because_a_file_names_it(tree: Path, tmp_path: Path) -> None:
    secret = tmp_path / "ssh"
    secret.mkdir()
    (secret / "id_ed25519").write_text("secret")
    for text in (f"gitdir: {secret}\n", f"gitdir: {secret}/../ssh/x\n", "gitdir: \n", "", "gitdir: a\0b\n"):
        (tree / ".git").write_text(text)
        assert repository_of(tree) is None


def test_another_worktrees_folder_is_not_borrowed(tree: Path, tmp_path: Path) -> None:
    thief = tmp_path / "thief"
    thief.mkdir()
    (thief / ".git").write_text((tree / ".git").read_text())

    assert repository_of(thief) is None


def test_a_commondir_that_leads_elsewhere_is_not_followed(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "repo" / ".git" / "worktrees" / "tree" / "commondir").write_text("/etc\n")

    assert repository_of(tree) is None


def test_a_link_on_the_way_ends_it(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "repo").rename(tmp_path / "moved")
    (tmp_path / "repo").symlink_to("moved")

    assert repository_of(tree) is None
