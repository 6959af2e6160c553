import os
import pwd
from pathlib import Path

import pytest

from server.sandbox.sandbox import Copy, Mount, SandboxSpec
from server.sandbox.workspaces import BadWorkspace, Mode, NoSuchWorkspace, Workspace, check, check_all, only, parse
from tests.real_git import git, repository

ROOT = os.geteuid() == 0
pytestmark = pytest.mark.promise("workspace.checked")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    made.mkdir()
    if ROOT:
        os.chown(made, 1000, 1000)
    return made


def checked(path: Path, *private: Path, allow_root_owned: bool = False) -> Workspace:
    return check(path, "rw", private, allow_root_owned=allow_root_owned)


def test_a_plain_folder_keeps_its_own_path_inside(folder: Path) -> None:
    space = checked(folder)

    assert (space.lent.source, space.lent.target) == (str(folder), str(folder))
    assert (space.lent.device, space.lent.inode) == (folder.stat().st_dev, folder.stat().st_ino)


def test_a_folder_is_copied_unless_it_is_said_to_be_lent() -> None:
    assert parse("/srv/x:ro") == (Path("/srv/x"), "ro")
    assert parse("/srv/x") == parse("/srv/x:copy") == (Path("/srv/x"), "copy")
    assert parse("/srv/a:b/x") == (Path("/srv/a:b/x"), "copy")
    for text in ("/srv/x:", "/srv/x:rwx"):
        with pytest.raises(BadWorkspace, match=r":rw.*:ro"):
            parse(text)


def test_a_folder_over_the_sandboxs_own_system_goes_beneath_workspace(tmp_path: Path) -> None:
    made = Path("/var/tmp") / f"sandgate-test-{os.getpid()}"
    made.mkdir()
    try:
        assert checked(made, allow_root_owned=True).lent.target == f"/workspace/{made.name}"
    finally:
        made.rmdir()


@pytest.mark.parametrize("path", [Path("/"), Path(pwd.getpwuid(os.geteuid()).pw_dir)])
def test_neither_the_whole_system_nor_a_home_is_lent(path: Path) -> None:
    with pytest.raises(BadWorkspace, match="whole"):
        checked(path, allow_root_owned=True)


def test_nor_is_anybody_elses_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = pwd.getpwuid(os.geteuid())
    theirs = pwd.struct_passwd((*ours[:5], str(folder), *ours[6:]))
    monkeypatch.setattr("server.sandbox.workspaces.pwd.getpwall", lambda: [ours, theirs])

    with pytest.raises(BadWorkspace, match="a whole home directory"):
        checked(folder, allow_root_owned=True)


def test_what_is_not_there_or_no_folder_is_refused(folder: Path) -> None:
    (folder / "file").touch()
    for path in (folder / "missing", folder / "file"):
        with pytest.raises(BadWorkspace):
            checked(path)


def test_our_own_folders_are_refused_from_above_and_from_below(folder: Path) -> None:
    state = folder / "state"
    inner = state / "audit"
    inner.mkdir(parents=True)
    for path in (folder, state, inner):
        with pytest.raises(BadWorkspace, match="lie in each other"):
            checked(path, state, allow_root_owned=True)


@pytest.mark.skipif(not ROOT, reason="only root can make a folder that belongs to root")
def test_a_folder_of_roots_needs_the_operators_word(tmp_path: Path) -> None:
    with pytest.raises(BadWorkspace, match="--allow-root-owned"):
        checked(tmp_path)

    assert checked(tmp_path, allow_root_owned=True).uid == 0


def test_a_link_is_lent_as_what_it_leads_to(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)

    assert checked(tmp_path / "link").lent.source == str(folder)


def test_workspaces_do_not_nest(folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir()

    with pytest.raises(BadWorkspace, match="only the outer one"):
        check_all([(folder, "rw"), (inner, "ro")], [], allow_root_owned=True)


def test_a_copy_goes_where_it_lies_and_remembers_which_folder_it_was(folder: Path) -> None:
    lent = check(folder, "copy", [], allow_root_owned=False).lent

    assert lent == Copy(str(folder), str(folder), folder.stat().st_dev, folder.stat().st_ino)


@pytest.mark.skipif(not ROOT, reason="only root can give folders to others")
def test_workspaces_have_one_owner(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    os.chown(other, 1234, 1234)

    with pytest.raises(BadWorkspace, match="different users"):
        check_all([(folder, "rw"), (other, "rw")], [], allow_root_owned=False)

    assert len(check_all([(folder, "rw"), (other, "copy")], [], allow_root_owned=False)) == 2


def test_the_repository_of_a_worktree_comes_along_and_is_not_compared(folder: Path) -> None:
    repository(folder, {})
    tree = folder.parent / "tree"
    git(folder, "worktree", "add", "-q", str(tree))

    spaces = check_all([(tree, "copy")], [], allow_root_owned=True)

    assert [(space.lent.source, isinstance(space.lent, Copy) and space.lent.whole) for space in spaces] == [
        (str(tree), False),
        (str(folder / ".git"), True),
    ]


def test_a_repository_that_may_not_be_lent_is_not_smuggled_in_by_a_worktree(folder: Path) -> None:
    repository(folder, {})
    tree = folder.parent / "tree"
    git(folder, "worktree", "add", "-q", str(tree))

    with pytest.raises(BadWorkspace, match="lie in each other"):
        check_all([(tree, "copy")], [folder], allow_root_owned=True)


# --- one of several ------------------------------------------------------------------------------------------------------

SHOP = Copy("/home/ann/shop", "/home/ann/shop", 1, 2)
ETC = Mount("/etc/shop-data", "/workspace/shop-data", read_only=True, device=1, inode=3)
TWIN = Mount("/srv/shop", "/srv/shop", read_only=False, device=1, inode=4)


@pytest.mark.parametrize("named", ["/workspace/shop-data", "/etc/shop-data", "shop-data"])
def test_a_session_may_have_one_of_the_folders_alone_and_starts_there(named: str) -> None:
    spec = only(SandboxSpec("image", "base", mounts=(TWIN, ETC), copies=(SHOP,)), named)

    assert (spec.mounts, spec.copies, spec.start_dir) == ((ETC,), (), "/workspace/shop-data")


@pytest.mark.parametrize(("named", "said"), [("shops", "there is no workspace shops"), ("shop", "several workspaces")])
def test_a_name_of_none_or_of_two_is_refused_with_what_there_is(named: str, said: str) -> None:
    with pytest.raises(NoSuchWorkspace, match=rf"{said}; this server lends /home/ann/shop, /workspace/shop-data, /srv"):
        only(SandboxSpec("image", "base", mounts=(ETC, TWIN), copies=(SHOP,)), named)


def test_a_worktree_alone_keeps_its_repository_and_no_other(tmp_path: Path) -> None:
    made = list[tuple[Path, Mode]]()
    for name in ("one", "two"):
        home = repository(tmp_path / name, {"a.txt": "a\n"})
        git(home, "worktree", "add", str(tmp_path / f"{name}-tree"))
        made.append((tmp_path / f"{name}-tree", "copy"))
    spaces = check_all(made, (), allow_root_owned=True)
    copies = tuple(space.lent for space in spaces if isinstance(space.lent, Copy))

    spec = only(SandboxSpec("image", "base", copies=copies), "two-tree")

    assert [(copy.source, copy.whole) for copy in spec.copies] == [
        (str(tmp_path / "two-tree"), False),
        (str(tmp_path / "two/.git"), True),
    ]
