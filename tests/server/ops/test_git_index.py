"""Git's own index, as real git writes it anew where nothing changed, and where something did."""

import os
from pathlib import Path

import pytest

from server.ops.git_index import is_named_index, says_the_same
from tests.real_git import git


@pytest.fixture(params=["2", "3", "4"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Of a repository with a few files, in each version of the format."""
    git(tmp_path, "init", "-q")
    for name in ("a.txt", "folder/b.txt", "folder/a rather long name that is padded.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "all")
    (tmp_path / "later.txt").write_text("")
    git(tmp_path, "add", *(["--intent-to-add"] if request.param == "3" else []), "later.txt")
    git(tmp_path, "update-index", "--index-version", request.param)
    return tmp_path / ".git/index"


def test_what_status_writes_anew_says_the_same(index: Path) -> None:
    before = index.read_bytes()
    for place, name in enumerate(("a.txt", "folder/b.txt")):
        os.utime(index.parent.parent / name, (place, place))
    git(index.parent.parent, "status")

    after = index.read_bytes()
    assert before != after
    assert says_the_same(before, after)


@pytest.mark.parametrize(
    "words",
    [
        ("rm", "-q", "--cached", "a.txt"),
        ("mv", "a.txt", "c.txt"),
        ("update-index", "--chmod=+x", "a.txt"),
        ("update-index", "--assume-unchanged", "a.txt"),
        ("update-index", "--skip-worktree", "a.txt"),
        ("update-index", "--split-index"),
    ],
)
def test_what_somebody_changed_does_not(index: Path, words: tuple[str, ...]) -> None:
    before = index.read_bytes()
    git(index.parent.parent, *words)
    assert not says_the_same(before, index.read_bytes())


def test_neither_does_another_content_nor_what_is_no_index(index: Path) -> None:
    before = index.read_bytes()
    (index.parent.parent / "a.txt").write_text("another")
    git(index.parent.parent, "add", "a.txt")
    for other in (index.read_bytes(), b"", b"DIRC", before[:80], b"DIRC" + b"\xff" * 80):
        assert not says_the_same(before, other)
    assert not says_the_same(b"", b"")


@pytest.mark.parametrize(
    ("path", "named"), [(".git/index", True), ("sub/.git/index", True), ("my.git/index", False), ("index", False)]
)
def test_an_index_is_known_by_its_place(path: str, *, named: bool) -> None:
    assert is_named_index(path) == named
