"""Roles in the settings, as what sessions are made of knows them."""

from pathlib import Path

import pytest

from server.sandbox.workspaces import check_all
from server.settings.sandbox import EnvironmentSettings, WorkspaceSettings
from server.settings.secret import SecretSettings
from server.settings.settings import Settings
from server.wiring.environments import recipes
from server.wiring.granting import grants
from tests.real_git import git, repository

pytestmark = pytest.mark.promise("caller.known")


def settings(*folders: WorkspaceSettings) -> Settings:
    return Settings(
        workspace=folders,
        environments={"gpu": EnvironmentSettings(image="base", setup=("true",), cache_on=("lock",), roles=("dev",))},
        secret=(
            SecretSettings(name="one", variable="ONE", host="api.example", env="ONE"),
            SecretSettings(name="two", variable="TWO", host="api.example", env="TWO", roles=("dev",)),
        ),
    )


def test_a_repository_that_only_some_need_is_only_theirs(tmp_path: Path) -> None:
    trees = []
    for name, roles in (("a", [("dev",)]), ("b", [("dev",), ()])):
        home = repository(tmp_path / name, {"file": ""})
        for number, each in enumerate(roles):
            tree = tmp_path / f"{name}-{number}"
            git(home, "worktree", "add", str(tree))
            trees.append(WorkspaceSettings(path=tree, roles=each))
    told = settings(*trees)
    spaces = check_all([(space.path, space.mode) for space in trees], [], allow_root_owned=True)

    found = grants(told, spaces)
    assert found.environments == {"gpu": ("dev",)}
    assert found.secrets == {"one": (), "two": ("dev",)}
    assert {Path(source).relative_to(tmp_path).as_posix(): roles for source, roles in found.folders.items()} == {
        "a-0": ("dev",),
        "a/.git": ("dev",),
        "b-0": ("dev",),
        "b-1": (),
        "b/.git": (),
    }


def test_what_everybody_gets_is_prepared_from_nothing_that_only_some_have(tmp_path: Path) -> None:
    theirs, everybodys = tmp_path / "theirs", tmp_path / "everybodys"
    for folder in (theirs, everybodys):
        folder.mkdir()
        (folder / "lock").write_text(folder.name)
    told = settings(WorkspaceSettings(path=theirs, roles=("dev",)), WorkspaceSettings(path=everybodys))
    spaces = check_all([(space.path, space.mode) for space in told.workspace], [], allow_root_owned=True)

    recipe = recipes(told, spaces)["gpu"]
    assert recipe.files() == {"lock": b"everybodys"}
    assert recipe.secrets == ("one",)
    assert recipes(told, spaces[:1])["gpu"].files() == {}
