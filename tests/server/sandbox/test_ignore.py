import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.sandbox.ignore import Ignore, patterns

GIT = shutil.which("git")


def ignored(lines: str, path: str) -> bool:
    """As a walk finds it: what lies in an ignored folder is never looked at, so it is ignored too."""
    rules = Ignore().with_file(lines.encode())
    *folders, last = path.split("/")
    for folder in folders:
        if rules.ignores(folder, is_folder=True):
            return True
        rules = rules.below(folder)
    return rules.ignores(last, is_folder=False)


@pytest.mark.parametrize(
    ("lines", "path", "expected"),
    [
        ("*.o", "a/b.o", True),
        ("*.o\n!keep.o", "keep.o", False),
        ("/build", "build/x", True),
        ("/build", "src/build", False),
        ("build/", "build", False),
        ("docs/*.txt", "docs/a.txt", True),
        ("docs/*.txt", "docs/sub/a.txt", False),
        ("a/**/z", "a/z", True),
        ("a/**/z", "a/b/c/z", True),
        ("**/logs", "x/y/logs/f", True),
        ("logs/**", "logs/f", True),
        ("\\#x", "#x", True),
        ("# x", "x", False),
        ("trail ", "trail", True),
        ("trail\\ ", "trail ", True),
        ("[a-c].py", "b.py", True),
        ("[!a-c].py", "b.py", False),
        ("[[:digit:]]x", "7x", True),
        ("a[", "a[", False),
        ("deep/\n!deep/kept", "deep/kept", True),
        ("\ufeff.env\r\n*.key\r\n", ".env", True),
        ("\ufeff.env\r\n*.key\r", "a.key", True),
        ("a\x0cb\nc\u2028b", "b", False),
    ],
)
def test_lines_mean_what_git_says_they_mean(lines: str, path: str, expected: object) -> None:
    assert ignored(lines, path) is expected


def test_a_deeper_file_has_the_last_word() -> None:
    rules = Ignore().with_file(b"*.log\n/only-here").below("sub")
    assert rules.ignores("a.log", is_folder=False)
    assert not rules.ignores("only-here", is_folder=False)

    assert not rules.with_file(b"!a.log").ignores("a.log", is_folder=False)


@pytest.mark.parametrize("pattern", ["*a" * 200 + "b", "**/a/" * 200 + "b", "[" + "a" * 900, "*" * 1000 + "b"])
@pytest.mark.timeout(100)
def test_no_pattern_makes_the_host_work_for_long(pattern: str) -> None:
    """Twenty stars would cost a backtracking matcher longer than the age of the universe."""
    assert not ignored(pattern, "/".join(["a" * 250] * 10))


def test_a_huge_file_is_read_to_its_bound_only() -> None:
    assert len(patterns(b"*.x\n" * 100_000)) == 2_000


@pytest.fixture(scope="module")
def repository() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="sgi"))
    subprocess.run([GIT or "git", "init", "-q", str(folder)], check=True, env={"PATH": os.environ["PATH"]})
    yield folder
    shutil.rmtree(folder)


WORD = st.text(alphabet="ab*?.[]!^-\\", min_size=1, max_size=6) | st.sampled_from(["**", "a", "b", "*.a", "[a-b]"])
LINE = st.builds(
    lambda bang, slash, words, end: bang + slash + "/".join(words) + end,
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "/"]),
    st.lists(WORD, min_size=1, max_size=3),
    st.sampled_from(["", "", "/", " "]),
).filter(lambda line: not re.search(r"\[[^\]]*/|\\/", line))  # a slash in brackets or escaped: nobody writes that
PATH = st.lists(
    st.text(alphabet="ab.-", min_size=1, max_size=4).filter(lambda s: s not in (".", "..")), min_size=1, max_size=4
)


@pytest.mark.skipif(GIT is None, reason="the real git is what this is compared with")
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(lines=st.lists(LINE, min_size=1, max_size=4), paths=st.lists(PATH, min_size=1, max_size=12))
def test_real_git_ignores_the_same(repository: Path, lines: list[str], paths: list[list[str]]) -> None:
    (repository / ".gitignore").write_text("\n".join(lines) + "\n")
    names = ["/".join(parts) for parts in paths if ".git" not in parts]
    said = subprocess.run(
        [GIT or "git", "check-ignore", "--no-index", "-z", "--stdin"],
        cwd=repository, input="\0".join(names).encode(), capture_output=True, check=False,
        env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    theirs = set(said.stdout.decode().split("\0")) - {""}

    assert {name for name in names if ignored("\n".join(lines), name)} == theirs
