import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server.sandbox.host_folder import Swapped, opened
from server.sandbox.protected import ASIDE, MAX_DEPTH, MAX_ENTRIES, Linked, guards, move_aside, scan
from server.sandbox.sandbox import Mount
from tests.real_git import git, repository

pytestmark = pytest.mark.promise("workspace.rw")


def mount(folder: Path) -> Mount:
    info = folder.stat()
    return Mount(str(folder), "/inside", read_only=False, device=info.st_dev, inode=info.st_ino)


def found(folder: Path) -> list[str]:
    with opened(folder) as root:
        return sorted(place.path for place in scan(root))


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_what_a_host_runs_is_found_and_the_rest_of_a_repository_is_not(tmp_path: Path) -> None:
    repository(tmp_path, {"a": "", "sub/.envrc": "", ".github/workflows/x.yml": "", ".github/CODEOWNERS": ""})
    make(tmp_path, ".vscode/tasks.json", "deep/er/.mcp.json")

    assert found(tmp_path) == [
        ".git/config", ".git/hooks", ".github/workflows", ".vscode", "deep/er/.mcp.json", "sub/.envrc",
    ]  # fmt: skip


def test_nested_and_disguised_repositories_are_found_too(tmp_path: Path) -> None:
    repository(tmp_path / "sub/inner", {})
    (tmp_path / "bare").mkdir()
    git(tmp_path / "bare", "init", "-q", "--bare", ".")
    make(tmp_path, "tree/.git", ".GIT/config", "split/HEAD", "split/commondir")

    names = found(tmp_path)

    assert {"sub/inner/.git/config", "bare/config", "bare/hooks", "tree/.git", ".GIT/config", "split/commondir"} <= set(
        names
    )


def test_a_name_that_only_looks_as_if_it_had_been_moved_aside_is_found(tmp_path: Path) -> None:
    make(tmp_path, f"x{ASIDE}12345678.code-workspace", f".envrc{ASIDE}12345678", f"y{ASIDE}.code-workspace")

    assert found(tmp_path) == [f"x{ASIDE}12345678.code-workspace", f"y{ASIDE}.code-workspace"]


def test_what_is_gone_before_it_is_looked_at_hides_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, ".mcp.json", "sub/.envrc", ".vimrc", "b.txt")
    real = os.scandir

    @contextmanager
    def listing(folder: int) -> Iterator[list[os.DirEntry[str]]]:
        """As the real one tells it; then somebody removes two of what was listed."""
        with real(folder) as entries:
            listed = list(entries)
            for name in (".vimrc", "b.txt"):
                (tmp_path / name).unlink(missing_ok=True)
            yield listed

    monkeypatch.setattr(os, "scandir", listing)

    assert found(tmp_path) == [".mcp.json", "sub/.envrc"]


def test_what_the_repositorys_settings_make_git_run_is_protected_too(tmp_path: Path) -> None:
    repository(tmp_path, {"tools/hooks/pre-commit": ""})
    git(tmp_path, "config", "core.hooksPath", "tools/hooks")
    git(tmp_path, "config", "core.fsmonitor", "bin/watch")
    known = [guard.target.removeprefix("/inside/") for guard in guards(mount(tmp_path))]
    make(tmp_path, "bin/watch")

    assert "tools/hooks" in known
    assert [one.path for one in move_aside(mount(tmp_path), known)] == [f"{tmp_path}/bin/watch"]


def test_settings_that_a_session_wrote_move_nothing_of_the_hosts(tmp_path: Path) -> None:
    make(tmp_path, "src/a")
    known = [guard.target for guard in guards(mount(tmp_path))]
    repository(tmp_path, {})
    git(tmp_path, "config", "core.hooksPath", "src")
    moved = move_aside(mount(tmp_path), known)

    assert sorted(one.path for one in moved) == [f"{tmp_path}/.git/config", f"{tmp_path}/.git/hooks"]
    assert (tmp_path / "src/a").exists()


def test_no_link_is_followed(tmp_path: Path) -> None:
    make(tmp_path, "outside/.envrc", "in/a")
    (tmp_path / "in/link").symlink_to(tmp_path / "outside")

    assert found(tmp_path / "in") == []


def test_the_limits_of_the_look_are_these(tmp_path: Path) -> None:
    """What lies deeper, or behind too many others, is not found: a limit, and the reason that `rw` is a weakening."""
    at = "/".join(["d"] * MAX_DEPTH)
    make(tmp_path, f"{at}/.envrc", f"{at}/d/.envrc")

    assert found(tmp_path) == [f"{at}/.envrc"]

    for number in range(MAX_ENTRIES):
        (tmp_path / f"f{number}").touch()
    assert found(tmp_path) == []


def test_each_protected_path_is_mounted_read_only_and_its_way_is_mountpoints(tmp_path: Path) -> None:
    repository(tmp_path, {})
    make(tmp_path, "a/b/.envrc")

    made = guards(mount(tmp_path))

    assert [(one.target, one.read_only) for one in made] == [
        ("/inside/.git", False), ("/inside/.git/config", True), ("/inside/.git/hooks", True),
        ("/inside/a", False), ("/inside/a/b", False), ("/inside/a/b/.envrc", True),
    ]  # fmt: skip
    assert {(one.device, one.inode) for one in made if one.target.endswith(".envrc")} == {
        ((tmp_path / "a/b/.envrc").stat().st_dev, (tmp_path / "a/b/.envrc").stat().st_ino)
    }


@pytest.mark.parametrize("name", [".envrc", ".vscode", ".git", "sub/.git/hooks"])
def test_a_protected_path_that_is_a_link_refuses_the_folder(tmp_path: Path, name: str) -> None:
    """Left by a session, it would show the next one whatever it leads to: a private key was read that way."""
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).symlink_to("/etc")

    with pytest.raises(Linked, match=name):
        guards(mount(tmp_path))


def test_a_folder_swapped_since_the_check_is_not_looked_at(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    was = mount(tmp_path / "x")
    (tmp_path / "x").rename(tmp_path / "y")
    make(tmp_path, "x/.envrc")

    with pytest.raises(Swapped):
        guards(was)
    with pytest.raises(Swapped):
        move_aside(was, ())
    assert (tmp_path / "x/.envrc").exists()


def test_what_is_new_is_moved_aside_and_what_was_there_stays(tmp_path: Path) -> None:
    make(tmp_path, ".envrc")
    known = [".envrc"]
    make(tmp_path, ".vscode/tasks.json", "sub/.git/config", "sub/.git/HEAD", "tree/.git")
    (tmp_path / ".mcp.json").symlink_to("/etc/passwd")

    moved = move_aside(mount(tmp_path), known)

    assert sorted(one.path.removeprefix(f"{tmp_path}/") for one in moved) == [
        ".mcp.json", ".vscode", "sub/.git/config", "tree/.git",
    ]  # fmt: skip
    assert all(os.path.lexists(one.aside) and ASIDE in one.aside for one in moved)
    assert (tmp_path / ".envrc").exists()
    assert found(tmp_path) == [".envrc"]
    assert move_aside(mount(tmp_path), known) == []
