import hashlib
import io
import os
from pathlib import Path

import pytest

from server.sandbox.applying import ApplyFailed, Part, apply, plan
from server.sandbox.changes import Change
from server.sandbox.host_folder import opened
from server.sandbox.manifest import Entry


def entry(text: str, mode: int = 0o644) -> Entry:
    return Entry("file", mode, hashlib.sha256(text.encode()).hexdigest())


def states(root: Path, *changes: Change) -> dict[str, str]:
    with opened(root) as handle:
        return {step.change.path: step.state for step in plan(handle, changes)}


def reasons(root: Path, *changes: Change) -> list[str]:
    with opened(root) as handle:
        return [step.why for step in plan(handle, changes)]


def make(root: Path, *changes: Change, texts: dict[str, str] | None = None) -> tuple[str, ...]:
    came, parts = io.BytesIO(), dict[str, Part]()
    for path, text in (texts or {}).items():  # one after the other in one file, as they come
        parts[path] = Part(came, came.tell(), came.write(text.encode()))
    with opened(root) as handle:
        return apply(handle, changes, parts)


def tree(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): f"-> {path.readlink()}" if path.is_symlink() else path.read_text() if path.is_file() else "/"
        for path in sorted(root.rglob("*"))
    }  # fmt: skip


def test_new_changed_and_gone_files_come_back_with_their_modes(tmp_path: Path) -> None:
    (tmp_path / "changed").write_text("a")
    (tmp_path / "changed").chmod(0o644)
    (tmp_path / "gone").write_text("b")
    (tmp_path / "gone").chmod(0o644)
    changes = (
        Change("changed", entry("a"), entry("A", 0o755), 1),
        Change("gone", entry("b"), None),
        Change("new/deep", None, Entry("folder", 0o750)),
        Change("new/deep/f", None, entry("c", 0o600), 1),
        Change("link", None, Entry("link", 0o777, "changed")),
    )
    assert set(states(tmp_path, *changes).values()) == {"ready"}

    make(tmp_path, *changes, texts={"changed": "A", "new/deep/f": "c"})

    assert tree(tmp_path) == {"changed": "A", "link": "-> changed", "new": "/", "new/deep": "/", "new/deep/f": "c"}
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("changed", "new/deep", "new/deep/f")] == [
        0o755,
        0o750,
        0o600,
    ]
    assert set(states(tmp_path, *changes).values()) == {"there"}


def test_a_folder_becomes_a_file_and_a_file_a_folder(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir(mode=0o755)
    (tmp_path / "d/x").write_text("x")
    (tmp_path / "f").write_text("f")
    for path in (tmp_path / "d/x", tmp_path / "f"):
        path.chmod(0o644)
    changes = (
        Change("d", Entry("folder", 0o755), entry("now a file"), 10),
        Change("d/x", entry("x"), None),
        Change("f", entry("f"), Entry("folder", 0o755)),
        Change("f/y", None, entry("y"), 1),
    )
    assert set(states(tmp_path, *changes).values()) == {"ready"}
    assert reasons(tmp_path, changes[3]) == ["on the host a folder on its way is a link or a file"]

    make(tmp_path, *changes, texts={"d": "now a file", "f/y": "y"})

    assert tree(tmp_path) == {"d": "now a file", "f": "/", "f/y": "y"}
    assert set(states(tmp_path, *changes).values()) == {"there"}


def test_a_folder_with_more_in_it_stays_and_is_told(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/x").write_text("x")
    (tmp_path / "d/x").chmod(0o644)
    (tmp_path / "d/ignored").write_text("the host's own")

    kept = make(tmp_path, Change("d", Entry("folder", 0o755), None), Change("d/x", entry("x"), None))

    assert kept == ("d",)
    assert tree(tmp_path) == {"d": "/", "d/ignored": "the host's own"}


@pytest.mark.promise("workspace.copy")
def test_a_folder_with_more_in_it_does_not_give_way_to_a_file(tmp_path: Path) -> None:
    (tmp_path / "d/in").mkdir(parents=True)
    (tmp_path / "d/in/ignored").write_text("the host's own")
    changes = (
        Change("d", Entry("folder", 0o755), entry("now a file"), 10),
        Change("d/in", Entry("folder", 0o755), None),
    )
    assert reasons(tmp_path, *changes) == ["the host has more in that folder", ""]

    with pytest.raises(ApplyFailed, match="d: Directory not empty"):
        make(tmp_path, *changes, texts={"d": "now a file"})
    assert tree(tmp_path) == {"d": "/", "d/in": "/", "d/in/ignored": "the host's own"}


@pytest.mark.promise("workspace.copy")
def test_what_changed_on_the_host_too_is_a_conflict(tmp_path: Path) -> None:
    (tmp_path / "both").write_text("host")
    (tmp_path / "new").write_text("host")
    (tmp_path / "same").write_text("session")
    (tmp_path / "same").chmod(0o644)
    os.mkfifo(tmp_path / "fifo")

    changes = (
        Change("both", entry("before"), entry("session")),
        Change("new", None, entry("session")),
        Change("gone", entry("before"), entry("session")),
        Change("same", entry("before"), entry("session")),
        Change("fifo", entry("before"), entry("session")),
    )
    found = states(tmp_path, *changes)

    assert reasons(tmp_path, *changes[:3]) == [
        "it changed on the host too",
        "it is new on the host too",
        "it is gone from the host",
    ]
    assert found == {"both": "conflict", "new": "conflict", "gone": "conflict", "same": "there", "fifo": "conflict"}


@pytest.mark.promise("workspace.copy")
@pytest.mark.parametrize("path", ["../out", "a/../../out", "/etc/x", "a//b", ".", "", "a/./b", "x\0y"])
def test_a_path_that_is_none_below_goes_nowhere(tmp_path: Path, path: str) -> None:
    (tmp_path / "in").mkdir()

    assert states(tmp_path / "in", Change(path, None, entry("x"))) == {path: "conflict"}


@pytest.mark.promise("workspace.copy")
def test_no_link_of_the_host_is_followed(tmp_path: Path) -> None:
    root, outside = tmp_path / "in", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "d").symlink_to(outside)
    (root / "f").symlink_to(outside / "f")
    (outside / "f").write_text("mine")

    assert states(root, Change("d/x", None, entry("x")), Change("f", entry("mine"), entry("x"))) == {
        "d/x": "conflict",
        "f": "conflict",
    }
    with pytest.raises(ApplyFailed):
        make(root, Change("d/x", None, entry("x"), 1), texts={"d/x": "x"})
    with pytest.raises(ApplyFailed):
        make(root, Change("f", entry("mine"), entry("x"), 1), texts={"f": "x"})
    assert tree(outside) == {"f": "mine"}


@pytest.mark.promise("workspace.copy")
def test_a_file_that_changed_after_the_plan_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("later")

    with pytest.raises(ApplyFailed, match="while changes were applied"):
        make(tmp_path, Change("f", entry("before"), entry("x"), 1), texts={"f": "x"})

    assert tree(tmp_path) == {"f": "later"}


@pytest.mark.promise("workspace.copy")
def test_bytes_that_are_not_those_that_were_shown_are_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ApplyFailed, match="while it was fetched"):
        make(tmp_path, Change("f", None, entry("shown"), 5), texts={"f": "other"})

    assert tree(tmp_path) == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for others")
def test_what_root_makes_in_somebodys_folder_is_theirs(tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 1234)

    make(tmp_path, Change("d/f", None, entry("x"), 1), texts={"d/f": "x"})

    assert [(tmp_path / name).stat().st_uid for name in ("d", "d/f")] == [1234, 1234]
