import os
import shutil
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.sandbox.changes import Change
from server.sandbox.manifest import Entry
from server.sandbox.patch import patch, rename_patch, renames
from tests.real_git import git

TEXT = st.lists(st.sampled_from([b"a\n", b"b\n", b"c\n", b"\r\n", b"\x1b[31m\n", b"\n"]), max_size=30).map(b"".join)
ANY = TEXT | st.builds(lambda text, end: text + end, TEXT, st.sampled_from([b"x", b"\0\1\2", bytes(range(256))]))


def applied(change: Change, before: bytes | None, after: bytes | None) -> bytes | None:
    """What the real git makes of the patch, in a folder that has `before`."""
    folder = Path(tempfile.mkdtemp(prefix="sgpatch"))
    try:
        target = folder / os.fsencode(change.path).decode("utf-8", "surrogateescape")
        if before is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(before)
        (folder / "p").write_bytes(patch(change, before, after))
        git(folder, "apply", "--whitespace=nowarn", "p")
        return target.read_bytes() if target.exists() else None
    finally:
        shutil.rmtree(folder)


def changed(before: bytes | None, after: bytes | None, path: str = "f") -> Change:
    was = None if before is None else Entry("file", 0o644, "was")
    now = None if after is None else Entry("file", 0o644, "now")
    return Change(path, was, now, len(after or b""))


@settings(max_examples=60)
@given(before=ANY, after=ANY)
def test_git_makes_of_it_what_was_meant(before: bytes, after: bytes) -> None:
    if before != after:
        assert applied(changed(before, after), before, after) == after


@pytest.mark.parametrize("content", [b"a\nb\n", b"no newline", b"\0binary"])
def test_new_and_gone_files_are_understood(content: bytes) -> None:
    assert applied(changed(None, content), None, content) == content
    assert applied(changed(content, None), content, None) is None


@pytest.mark.parametrize("path", ['a "quoted" name', "tab\there", "ünï", "back\\slash", "new\nline", "sub/f"])
def test_odd_names_are_quoted_as_git_does(path: str) -> None:
    assert applied(changed(b"a\n", b"b\n", path), b"a\n", b"b\n") == b"b\n"


def test_modes_and_links_are_told(tmp_path: Path) -> None:
    made = patch(Change("f", Entry("file", 0o644, "x"), Entry("file", 0o755, "x"), 1), b"x\n", b"x\n")
    assert made == b"diff --git a/f b/f\nold mode 100644\nnew mode 100755\n"

    (tmp_path / "p").write_bytes(patch(Change("l", None, Entry("link", 0o777, "to")), None, b"to"))
    git(tmp_path, "apply", "p")
    assert (tmp_path / "l").readlink() == Path("to")

    (tmp_path / "p").write_bytes(
        patch(Change("l", Entry("link", 0o777, "to"), Entry("file", 0o755, "x"), 2), b"to", b"x\n")
    )
    git(tmp_path, "apply", "p")
    assert (tmp_path / "l").read_text() == "x\n"
    assert stat.S_IMODE((tmp_path / "l").lstat().st_mode) & 0o111


@pytest.mark.promise("workspace.copy")
def test_what_a_folder_gives_way_to_is_shown_and_so_is_what_gives_way_to_one(tmp_path: Path) -> None:
    folder, file = Entry("folder", 0o755), Entry("file", 0o644, "x")
    (tmp_path / "d").mkdir()
    (tmp_path / "d/x").write_text("x\n")
    (tmp_path / "f").write_text("f\n")
    parts = (
        patch(Change("d", folder, file, 2), b"", b"now a file\n"),
        patch(Change("d/x", file, None), b"x\n", None),
        patch(Change("f", file, folder), b"f\n", b""),
        patch(Change("f/y", None, file, 2), None, b"y\n"),
        patch(Change("new", None, folder), None, b""),
    )
    (tmp_path / "p").write_bytes(b"".join(parts))
    git(tmp_path, "apply", "p")

    assert (tmp_path / "d").read_text() == "now a file\n"
    assert (tmp_path / "f/y").read_text() == "y\n"
    assert parts[4] == b""


def test_a_rename_is_one_line_and_an_empty_file_is_none(tmp_path: Path) -> None:
    entry, empty = Entry("file", 0o644, "same"), Entry("file", 0o644, "none")
    changes = (
        Change("a", entry, None),
        Change("b", None, entry, 3),
        Change("c", empty, None),
        Change("d", None, empty),
    )

    found = renames(changes)

    assert [(one.before.path, one.after.path) for one in found] == [("a", "b")]
    (tmp_path / "a").write_text("x\n")
    (tmp_path / "p").write_bytes(rename_patch(found[0]))
    git(tmp_path, "apply", "p")
    assert (tmp_path / "b").read_text() == "x\n"


@pytest.mark.timeout(100)
def test_two_long_files_that_share_nothing_do_not_take_for_ever() -> None:
    before = b"".join(b"a%d\n" % (n % 7) for n in range(30_000))
    after = b"".join(b"b%d\n" % (n % 5) for n in range(30_000))

    assert applied(changed(before, after), before, after) == after
