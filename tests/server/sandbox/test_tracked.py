from pathlib import Path

import pytest

from server.sandbox.host_folder import opened
from server.sandbox.tracked import tracked
from tests.real_git import git, repository

FILES = {"a": "", "dir/b": "", "dir/bb": "", "ünï/" + "x" * 200: "", "z z": ""}


def found(folder: Path) -> frozenset[str]:
    with opened(folder) as root:
        return tracked(root)


@pytest.mark.parametrize("version", [2, 3, 4])
def test_every_version_of_the_index_is_read_as_git_reads_it(tmp_path: Path, version: int) -> None:
    repository(tmp_path, FILES)
    (tmp_path / "later").touch()
    git(tmp_path, "add", "-N", "later")  # an entry with more flags, which makes it version 3
    git(tmp_path, "update-index", "--index-version", str(version))

    theirs = git(tmp_path, "-c", "core.quotePath=false", "ls-files", "-z").split("\0")
    assert found(tmp_path) == {*theirs} - {""}
    assert found(tmp_path) == {*FILES, "later"}


def test_no_repository_tracks_nothing(tmp_path: Path) -> None:
    assert found(tmp_path) == frozenset()


@pytest.mark.promise("workspace.copy")
@pytest.mark.parametrize("cut", [0, 3, 12, 40, 73, 100, 150])
def test_a_broken_index_is_none(tmp_path: Path, cut: int) -> None:
    repository(tmp_path, FILES)
    for version in ("2", "4"):
        git(tmp_path, "update-index", "--index-version", version)
        whole = (tmp_path / ".git/index").read_bytes()
        (tmp_path / ".git/index").write_bytes(whole[:cut])
        assert found(tmp_path) == frozenset()
        (tmp_path / ".git/index").write_bytes(whole[:8] + b"\xff\xff\xff\xff" + whole[12:])
        assert found(tmp_path) == frozenset()
        (tmp_path / ".git/index").write_bytes(whole)


@pytest.mark.promise("workspace.copy")
def test_an_index_behind_a_link_is_not_read(tmp_path: Path) -> None:
    repository(tmp_path / "real", FILES)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/.git").symlink_to("../real/.git")

    assert found(tmp_path / "in") == frozenset()
