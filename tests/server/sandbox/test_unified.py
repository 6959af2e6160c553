import random
import subprocess
from pathlib import Path

import pytest

from server.sandbox.unified import MAX_LINES, MAX_WIDTH, unified


def patched(folder: Path, before: str, diff: str) -> str:
    file = folder / "a"
    file.write_bytes(before.encode())
    subprocess.run(["patch", "--binary", "-s", "-p0", str(file)], input=f"{diff}\n".encode(), check=True)
    return file.read_bytes().decode()


@pytest.mark.parametrize(
    ("before", "old", "new"),
    [
        ("a\nb\nc\n", "b", "x"),
        ("a\nb\nc\n", "a\n", ""),
        ("a\nb\nc\n", "a\n", "x"),
        ("a\nb\nc", "c", "d\n"),
        ("a\nb\nc\n", "c\n", "c"),
        ("a\n", "a\n", ""),
        ("a\nb\n", "b", "b\nc\nd"),
        ("a\r\nb\r\n", "b", "x\r\ny"),
        ("a\n" * 30, "a\na\n", "b"),
        ("x\n\n\nx\n\n\n\n\n\n\n\n\n\nx\n", "x", "yy\nz"),
    ],
)
def test_patch_makes_the_same_of_it(tmp_path: Path, before: str, old: str, new: str) -> None:
    assert patched(tmp_path, before, unified(before, old, new, "/a")) == before.replace(old, new)


def test_patch_makes_the_same_of_anything(tmp_path: Path) -> None:
    chance = random.Random(3)
    for _ in range(60):
        before = "".join(chance.choice("ab\n\n") for _ in range(chance.randint(3, 60)))
        start = chance.randrange(len(before) - 1)
        old = before[start : start + chance.randint(1, 4)]
        new = "".join(chance.choice("abc\n") for _ in range(chance.randint(0, 4)))
        if old != new:
            diff = unified(before, old, new, "/a")
            assert patched(tmp_path, before, diff) == before.replace(old, new), (before, old, new)


def test_a_name_that_would_break_its_line_stands_in_quotes(tmp_path: Path) -> None:
    diff = unified("a\n", "a", "b", "/w/\u202ex\n+++ b/etc/passwd")

    assert diff.split("\n")[:2] == [
        r'--- "a/w/\342\200\256x\n+++ b/etc/passwd"',
        r'+++ "b/w/\342\200\256x\n+++ b/etc/passwd"',
    ]
    assert unified("a\n", "a", "b", "/w/grün b").startswith("--- a/w/grün b\n+++ b/w/grün b\n@@")


def test_changes_that_are_near_are_one_hunk_and_others_are_their_own() -> None:
    diff = unified("1\n2\na a\n4\na\n6\n7\n8\n9\n10\n11\n12\na\n", "a", "b\nc", "/a")

    assert diff.count("@@ -") == 2
    assert "@@ -1,8 +1,11 @@" in diff
    assert "@@ -10,4 +13,5 @@" in diff
    assert diff.count("-a a") == 1


def test_a_long_change_and_a_long_line_are_cut_and_say_so() -> None:
    assert unified("a\n" * 500, "a", "b", "/a").endswith("... more of the change, not shown")
    assert len(unified("a\n" * 500, "a", "b", "/a").split("\n")) == MAX_LINES + 1
    assert "... (1000 characters)" in unified("a" * 1000, "a" * 999, "b", "/a")


@pytest.mark.parametrize(
    ("before", "old", "new"),
    [
        ("word word\n" * 200_000, "\n", " "),
        ('"key":1,' * 400_000, '"', "'"),
        ("\n" * 2_000_000, "\n", "\nx"),
        ("a\n" * 1_000_000, "a", "b\n" * 10),
    ],
)
def test_a_huge_change_is_looked_at_only_as_far_as_it_is_shown(before: str, old: str, new: str) -> None:
    diff = unified(before, old, new, "/a").split("\n")

    assert len(diff) <= MAX_LINES + 1
    assert max(map(len, diff)) < 2 * MAX_WIDTH
