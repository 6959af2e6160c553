import os
from pathlib import Path

import pytest

from server.sandbox.host_folder import opened
from server.sandbox.ignore import Ignore
from server.sandbox.survey import MAX_DEPTH, Survey, TooMuch, survey
from tests.real_git import git, repository


def look(folder: Path, *, ignoring: bool = True) -> Survey:
    with opened(folder) as root:
        return survey(root, Ignore() if ignoring else None)


def names(found: Survey) -> list[str]:
    return [item.path for item in found.items if not item.path.startswith(".git/")]


def test_what_git_ignores_stays_at_home(tmp_path: Path) -> None:
    files = {
        ".gitignore": "*.log\nbuild/\n!keep.log\n",
        "a.log": "",
        "keep.log": "",
        "build/x": "",
        "src/build/y": "",
        "src/a": "",
    }
    repository(tmp_path / "r", files)
    (tmp_path / "r/src/.gitignore").write_text("b\n")
    (tmp_path / "r/src/b").touch()

    found = look(tmp_path / "r")

    assert names(found) == [".git", ".gitignore", "keep.log", "src", "src/.gitignore", "src/a"]
    assert found.ignored == 4
    assert any(item.path == ".git/HEAD" for item in found.items)


def test_what_is_tracked_is_what_is_sent_as_git_sees_it(tmp_path: Path) -> None:
    files = {".gitignore": "x/*\n!x/y\n", "x/y": "", "z": "", "deep/er/.gitignore": "*\n", "deep/er/w": ""}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    git(tmp_path, "init", "-q")
    theirs = set(git(tmp_path, "ls-files", "-co", "--exclude-standard").splitlines())

    assert {item.path for item in look(tmp_path).items if item.kind == "file" and ".git/" not in item.path} == theirs


def test_what_git_tracks_comes_along_though_it_is_ignored(tmp_path: Path) -> None:
    repository(tmp_path, {"build/kept/a": "", "build/b": "", "x.log": "", "src/c": ""})
    (tmp_path / ".gitignore").write_text("build/\n*.log\n")
    for name in ("build/new", "build/kept/new", "build/kept/.gitignore", "y.log"):
        (tmp_path / name).write_text("!new\n")
    repository(tmp_path / "build/nested", {"d": ""})
    theirs = set(git(tmp_path, "ls-files", "-co", "--exclude-standard").splitlines())

    sent = {item.path for item in look(tmp_path).items if item.kind == "file" and not item.path.startswith(".git/")}

    assert sent == theirs == {".gitignore", "build/b", "build/kept/a", "src/c", "x.log"}


def test_without_ignoring_all_of_it_is_there(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*\n")
    (tmp_path / "x").touch()

    assert names(look(tmp_path, ignoring=False)) == [".gitignore", "x"]


@pytest.mark.promise("workspace.copy")
def test_links_are_named_and_never_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").touch()
    (tmp_path / "in").mkdir()
    (tmp_path / "in/link").symlink_to("../outside")
    (tmp_path / "in/loop").symlink_to(".")

    found = look(tmp_path / "in")

    assert [(item.path, item.kind) for item in found.items] == [("link", "link"), ("loop", "link")]


@pytest.mark.promise("workspace.copy")
def test_a_linked_gitignore_or_git_folder_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "patterns").write_text("*\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "in").mkdir()
    (tmp_path / "in/.gitignore").symlink_to("../patterns")
    (tmp_path / "in/.git").symlink_to("../other")
    (tmp_path / "in/file").touch()

    assert [item.path for item in look(tmp_path / "in").items] == [".git", ".gitignore", "file"]


def test_sockets_fifos_and_devices_are_counted_and_left(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")

    found = look(tmp_path)

    assert (found.items, found.special) == ([], 1)


def test_too_many_levels_are_refused_in_a_sentence(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(MAX_DEPTH + 2):
        deep = deep / "d"
    deep.mkdir(parents=True)

    with pytest.raises(TooMuch, match="folders deep"):
        look(tmp_path)


def test_setuid_bits_stay_at_home(tmp_path: Path) -> None:
    (tmp_path / "tool").touch()
    (tmp_path / "tool").chmod(0o4755)

    assert [item.mode for item in look(tmp_path).items] == [0o755]
