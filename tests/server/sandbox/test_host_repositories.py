from collections.abc import Iterator
from pathlib import Path

import pytest

from server.sandbox.changes import Change
from server.sandbox.host_folder import opened
from server.sandbox.host_repositories import repositories
from server.sandbox.manifest import Entry

pytestmark = pytest.mark.promise("workspace.copy")


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    with opened(tmp_path) as handle:
        yield handle


def comes(*paths: str) -> list[Change]:
    return [Change(path, None, Entry("file", 0o644, "x")) for path in paths]


def test_what_comes_and_what_is_there_make_one_together(root: int, tmp_path: Path) -> None:
    """HEAD came with an earlier session, and git was told to ignore it since, so that this one was never sent it."""
    (tmp_path / "v/x").mkdir(parents=True)
    (tmp_path / "v/x/HEAD").touch()

    assert repositories(root, comes("v/x/objects/a", "v/x/refs/heads/b", "v/x/config")) == {"v/x"}
    assert repositories(root, comes("v/x/commondir", "v/y/config")) == {"v/x"}
    assert repositories(root, comes("v/x/config", "other/HEAD")) == frozenset()


def test_a_hook_does_not_come_into_one_that_was_never_sent(root: int, tmp_path: Path) -> None:
    for name in ("objects", "refs"):
        (tmp_path / "mirror" / name).mkdir(parents=True)
    (tmp_path / "mirror/HEAD").touch()

    assert repositories(root, comes("mirror/hooks/post-checkout")) == {"mirror"}
    assert repositories(root, [Change("mirror/HEAD", Entry("file", 0o644, "x"), None)]) == frozenset()


def test_no_link_is_followed_and_odd_paths_are_nothing(root: int, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    for name in ("HEAD", "objects", "refs"):
        (tmp_path / "real" / name).touch()
    (tmp_path / "link").symlink_to("real")

    assert repositories(root, comes("link/x", "a\0b/c", "../out")) == frozenset()
