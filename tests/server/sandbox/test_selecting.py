import pytest

from server.sandbox.changes import Change
from server.sandbox.host_code import like_repositories
from server.sandbox.manifest import Entry
from server.sandbox.selecting import BadGlob, Selection, select

FILE = Entry("file", 0o644, "00")


def chosen(*paths: str, only: tuple[str, ...] = ()) -> list[str]:
    return [change.path for change in selection(*paths, only=only).chosen]


def selection(*paths: str, only: tuple[str, ...] = ()) -> Selection:
    return select([Change(path, None, FILE) for path in paths], like_repositories(paths), only)


def test_without_a_glob_all_is_chosen() -> None:
    assert chosen("a", "b/c") == ["a", "b/c"]


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("*.py", ["a.py", "src/b.py", "src/deep/c.py"]),
        ("src/*.py", ["src/b.py"]),
        ("src/**", ["src/b.py", "src/deep/c.py"]),
        ("src", ["src/b.py", "src/deep/c.py"]),
        ("src/", ["src/b.py", "src/deep/c.py"]),
        ("./a.py", ["a.py"]),
        ("**/c.py", ["src/deep/c.py"]),
        ("src/**/c.*", ["src/deep/c.py"]),
        ("?.py", ["a.py", "src/b.py", "src/deep/c.py"]),
        ("none", []),
    ],
)
def test_a_glob_chooses_by_path_and_a_folder_means_all_in_it(glob: str, expected: list[str]) -> None:
    assert chosen("a.py", "src/b.py", "src/deep/c.py", "README", only=(glob,)) == expected


@pytest.mark.promise("workspace.copy")
def test_what_a_host_runs_comes_only_when_it_is_named_itself() -> None:
    paths = (".envrc", ".github/workflows/ci.yml", ".git/config", ".git/refs/heads/x", "a")

    assert chosen(*paths) == ["a"]
    assert chosen(*paths, only=("**", "*", ".*", "**/*", ".gi?/**", "?envrc")) == ["a"]
    assert chosen(*paths, only=(".envrc",)) == [".envrc"]
    assert chosen(*paths, only=(".github/workflows/*.yml",)) == [".github/workflows/ci.yml"]
    assert chosen(*paths, only=(".git/**",)) == [".git/refs/heads/x"]
    assert chosen(*paths, only=(".git/config",)) == [".git/config"]
    assert set(selection(*paths).held) == set(paths) - {"a"}


@pytest.mark.promise("workspace.copy")
def test_a_repository_under_another_name_is_held() -> None:
    paths = ("v/x/HEAD", "v/x/objects", "v/x/refs", "v/x/config", "v/x/sub/y", "v/z")

    assert chosen(*paths) == ["v/z"]
    assert "obeys its config" in selection(*paths).held["v/x/config"]
    assert chosen(*paths, only=("v/x/**",)) == list(paths[:-1])


@pytest.mark.promise("workspace.copy")
def test_what_the_hosts_own_repository_is_told_to_run_is_held() -> None:
    changes = [Change(path, None, FILE) for path in ("tools/hooks/pre-commit", "tools/x", ".settings")]
    obeyed = frozenset({"tools/hooks", ".settings"})

    assert [change.path for change in select(changes, frozenset(), (), obeyed).chosen] == ["tools/x"]
    assert ".git/config names it" in select(changes, frozenset(), ("**",), obeyed).held[".settings"]
    assert [change.path for change in select(changes, frozenset(), ("tools/hooks/**",), obeyed).chosen] == [
        "tools/hooks/pre-commit"
    ]


@pytest.mark.promise("workspace.copy")
def test_a_link_out_of_the_folder_is_held() -> None:
    changes = [Change("l", None, Entry("link", 0o777, "/etc/passwd")), Change("m", None, Entry("link", 0o777, "l"))]

    assert [change.path for change in select(changes, frozenset(), ()).chosen] == ["m"]
    assert [change.path for change in select(changes, frozenset(), ("l",)).chosen] == ["l"]


@pytest.mark.parametrize("glob", ["", "/", "x" * 2000])
def test_a_glob_that_names_nothing_is_said(glob: str) -> None:
    with pytest.raises(BadGlob, match="--only"):
        chosen("a", only=(glob,))


@pytest.mark.timeout(100)
def test_no_glob_and_no_name_make_it_work_for_long() -> None:
    assert chosen("/".join(["a" * 250] * 20), only=("*a" * 100 + "b", "**/a*a*a*a*a*b/" * 50 + "x")) == []
