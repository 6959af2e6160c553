from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from policy.verdict import Allow, Deny
from server.judge.rego import RegoJudge
from server.sandbox.host_code import globs, leads_out, like_repositories, plain, reasons
from tests.server.judge.judging import judge, opens

pytestmark = pytest.mark.promise("workspace.copy")
SHARED = "/home/me/pro[1] ject"


def _rules(folder: str) -> list[dict[str, Any]]:
    return [{"glob": glob, "ops": ["write", "delete"], "effect": "deny"} for glob in globs(folder)]


@pytest.fixture(scope="module")
def shared() -> Iterator[RegoJudge]:
    with judge({"paths": _rules(SHARED)}) as made:
        yield made


@pytest.mark.parametrize(
    "path",
    [
        ".git/hooks/pre-commit", "sub/.git/config", ".GIT/config", ".g\u200cit/config", "git~1/config", ".git./config",
        ".git::$INDEX_ALLOCATION/config", "sub/.git", ".envrc", "a/b/.envrc", ".vscode/tasks.json", ".idea/x", ".claude/settings.json",
        ".mcp.json", ".github/workflows/ci.yml", ".GitHub/Workflows/ci.yml", ".gitlab-ci.yml", "Jenkinsfile", "x.code-workspace",
        ".gi\u00adt/config", ".g\u2060it/x", ".envrc\ufe0f", "VSCODE~1/tasks.json", "ENVRC~2", "GITHUB~1/WORKFL~1/ci.yml", "MISE~1.TOM",
        ".husky/pre-commit", ".devcontainer/devcontainer.json", ".pre-commit-config.yaml", "mise.toml",
        "mise.local.toml", "a/crush.json", ".lazy.lua", "lefthook-local.yml", ".lintstagedrc.js",
    ],
)  # fmt: skip
def test_what_a_host_runs_by_itself_is_held(path: str) -> None:
    assert reasons(path)


@pytest.mark.parametrize(
    "path",
    [
        "src/hooks/useThing.ts",
        "Makefile",
        "conftest.py",
        ".gitignore",
        ".github/CODEOWNERS",
        "workflows/a",
        "git",
        "digit~1",
        "notes~1.txt",
        "GITHUB~1/CODEOWNERS",
    ],
)
def test_what_a_person_runs_is_not(path: str) -> None:
    assert reasons(path) == ()


def test_in_a_repository_history_needs_one_name_and_configuration_two() -> None:
    assert reasons(".git/objects/ab/cd") == (".git",)
    assert reasons(".git/config") == (".git", "config")
    assert reasons("sub/.git/hooks/x") == (".git", "hooks")
    assert reasons(".git/commondir") == (".git", "commondir")
    assert plain(".Git ") == ".git"


def test_a_folder_that_git_takes_for_a_repository_is_known_by_what_is_in_it() -> None:
    assert like_repositories(["v/x/HEAD", "v/x/objects", "v/x/refs", "y/HEAD", "y/refs"]) == {"v/x"}
    assert like_repositories(["HEAD", "objects", "refs"]) == {""}
    assert like_repositories(["x/HEAD", "x/commondir", "y/objects", "y/refs", "y/config"]) == {
        "x"
    }  # the rest is elsewhere
    assert like_repositories(["x/head", "x/Objects", "x/REFS"]) == {"x"}
    assert like_repositories([f"x/\u200c{name}{12 * chr(0x200C)}" for name in ("HEAD", "objects", "refs")]) == {"x"}


@pytest.mark.parametrize(
    ("path", "target", "out"),
    [
        ("a", "b", False), ("a", "/etc", True), ("a", "..", True), ("a/b", "../c", False), ("a/b", "../../c", True),
        ("a", "", True), ("a", "b/..", True), ("a/b/c", "../../d/e", False), ("a", "./b", False), ("x/y/a", "b/../..", True),
    ],
)  # fmt: skip
def test_a_link_that_could_lead_out_is_known(path: str, target: str, out: object) -> None:
    assert leads_out(path, target) is out


@pytest.mark.parametrize("path", [
    ".git", ".git/config", ".git/hooks/pre-commit", "sub/.git", "a/b/.git/commondir", ".envrc", "deep/er/.envrc", ".vscode",
    ".vscode/tasks.json", "a/.vscode/tasks.json", ".github/workflows/ci.yml", "x.code-workspace", "a/x.code-workspace",
    ".claude/settings.json", ".mcp.json", "a/.mcp.json",
])  # fmt: skip
def test_the_policy_refuses_tools_the_same_paths_where_the_folder_is_shared(path: str, shared: RegoJudge) -> None:
    for op in ("write", "delete"):
        assert isinstance(anyio.run(shared.decide, opens(f"{SHARED}/{path}", op=op)), Deny)


@pytest.mark.parametrize(
    "path", ["a.py", "src/hooks/x.ts", ".gitignore", ".github/CODEOWNERS", "Makefile", "git/config"]
)
def test_and_no_others(path: str, shared: RegoJudge) -> None:
    assert isinstance(anyio.run(shared.decide, opens(f"{SHARED}/{path}", op="write")), Allow)


def test_a_folder_of_any_name_makes_globs_that_the_policy_takes() -> None:
    for folder in ("/srv/[x]{y}*?", "/srv/\u00fc \\\\ z"):
        with judge({"paths": _rules(folder)}) as made:
            assert made.revision
