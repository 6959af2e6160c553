"""Which files a yes is bound to: what the command names, and what its program reads although nobody names it."""

from dataclasses import replace

import pytest

from policy.command import Reading, Redirect, SimpleCommand
from policy.held import MOST_PATHS, HeldFile, Named, held_to, named_files
from policy.path import uses
from policy.question import CallerFacts, PathUse, Question, RunCommand, SessionFacts
from tests.policy.reader import read

pytestmark = pytest.mark.promise("approval.bound")


def named(*argv: str | None, cwd: str = "/workspace/a/b", paths: tuple[PathUse, ...] = ()) -> tuple[str, ...]:
    name = argv[0].rpartition("/")[2] if argv[0] else None
    command = SimpleCommand(argv, name, "bare", cwd=cwd, redirects=(Redirect("<", 0, "/workspace/in", dynamic=False),))
    act = RunCommand(("bash",), cwd, b"", 1, background=False)
    reading = Reading((command,))
    return named_files(Question(CallerFacts("ann"), "shell", SessionFacts("s", "base"), act, {}, reading, paths)).paths


def of(script: str) -> Named:
    act = RunCommand(("bash",), "/workspace", b"", 1, background=False)
    facts = SessionFacts("s", "base", "/home/dev")
    reading = read(script)
    paths = uses(reading, facts.home, facts.workspaces)
    return named_files(Question(CallerFacts("ann"), "shell", facts, act, {}, reading, paths))


@pytest.mark.parametrize(
    ("argv", "path"),
    [
        (("./deploy.sh",), "/workspace/a/b/deploy.sh"),
        (("bash", "../run.sh"), "/workspace/a/run.sh"),
        (("python3", "/tmp/x.py"), "/tmp/x.py"),
        (("curl", "-d", "@body"), "/workspace/a/b/body"),
        (("make", "-fother.mk"), "/workspace/a/b/other.mk"),
        (("twine", "upload", "--config-file=~/.pypirc"), "/home/agent/.pypirc"),
        (("cat",), "/workspace/in"),
        (("twine", "upload"), "/home/agent/.venv/bin/twine"),
        (("make", "all"), "/workspace/a/b/Makefile"),
        (("make", "all"), "/workspace/Makefile"),
        (("make", "-C", "sub"), "/workspace/a/b/sub/GNUmakefile"),
        (("npm", "run", "build"), "/workspace/a/package.json"),
        (("pytest", "tests"), "/workspace/a/b/tests/conftest.py"),
        (("python3", "-m", "pytest"), "/workspace/a/b/conftest.py"),
        (("git", "push"), "/workspace/.git/config"),
        (("git", "push"), "/workspace/a/b/.git/hooks/pre-push"),
        (("git", "push"), "/home/agent/.gitconfig"),
        (("npm", "publish"), "/home/agent/.npmrc"),
        (("python3", "-m", "twine", "upload"), "/home/agent/.pypirc"),
        (("scp", "x", "host:"), "/home/agent/.ssh/config"),
    ],
)
def test_what_a_command_obeys_is_looked_at(argv: tuple[str, ...], path: str) -> None:
    assert path in named(*argv)


def test_nothing_above_the_workspace_is() -> None:
    assert "/Makefile" not in named("make")
    assert [path for path in named("make", cwd="/etc/x") if path.startswith("/etc/Make")] == []


def test_what_is_only_written_is_not_for_it_changes_with_each_run() -> None:
    use = PathUse("out", "/workspace/a/b/out", "write", "workspace")
    assert "/workspace/a/b/out" not in named("tee", "out", paths=(use,))
    read = PathUse("out", "/workspace/a/b/out", "read", "workspace")
    assert "/workspace/a/b/out" in named("tee", "out", paths=(use, read))


def test_what_is_known_only_at_run_time_names_nothing() -> None:
    assert named("bash", None) == named("bash")


def test_what_is_run_is_looked_at_before_what_is_only_named() -> None:
    """However many other words stand before it; and where they are too many for all, that is said."""
    noise = SimpleCommand(("echo", *(f"f{number}" for number in range(10_000))), "echo", "bare", cwd="/workspace")
    script = SimpleCommand(("./deploy.sh",), "deploy.sh", "workspace", cwd="/workspace")
    act = RunCommand(("bash",), "/workspace", b"", 1, background=False)
    question = Question(CallerFacts("ann"), "shell", SessionFacts("s", "base"), act, {}, Reading((noise, script)))

    found = named_files(question)
    assert "/workspace/deploy.sh" in found.paths
    assert found.loose == ("it names more files than are looked at: the rest may change",)
    assert named_files(replace(question, reading=Reading((script,)))).loose == ()


def test_there_are_bounds() -> None:
    assert len(named("cat", *(f"f{number}" for number in range(10_000)))) == MOST_PATHS
    assert sum(map(len, named("cat", *("x" * 4_000 + str(number) for number in range(100))))) <= 100_000


@pytest.mark.parametrize(
    ("script", "path"),
    [
        ("HOME=/tmp/h git push", "/tmp/h/.gitconfig"),
        ("export HOME=/tmp/h; git push", "/tmp/h"),
        ("GIT_CONFIG_GLOBAL=cfg git push", "/workspace/cfg"),
        (
            "env GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=core.hooksPath GIT_CONFIG_VALUE_0=hooks git push",
            "/workspace/hooks",
        ),
        ("git -c core.hooksPath=hooks push", "/workspace/hooks"),
        ("git -C sub -c core.hooksPath=hooks push", "/workspace/sub/hooks"),
        ("GIT_SSH_COMMAND='ssh -F ./cfg' git push", "/workspace/cfg"),
        ("npm_config_userconfig=~/rc npm publish", "/home/dev/rc"),
        ("PYTHONPATH=src:lib python3 -m twine upload", "/workspace/lib"),
        ("PATH=/tmp/b:$PATH make", "/tmp/b"),
        ("PATH+=:/tmp/b make", "/tmp/b"),
        ("MAKEFILES='a.mk b.mk' make", "/workspace/b.mk"),
        ("BASH_ENV=x bash -c make", "/workspace/x"),
        ("NODE_OPTIONS='--require=./hook.js' npm publish", "/workspace/hook.js"),
        ("make CONFIG=cfg", "/workspace/cfg"),
        ("make -I include", "/workspace/include"),
        ("mkdir -p hooks; git -c core.hooksPath=hooks push", "/workspace/hooks"),
        ("touch cfg; CONFIG=cfg make", "/workspace/cfg"),
        ("twine upload --config-dir=cfg", "/workspace/cfg"),
        ("D=/tmp/d; git -c core.hooksPath=$D/x push", "/tmp/d/x"),
    ],
)
def test_what_a_variable_or_an_option_leads_to_is_looked_at_with_all_in_it(script: str, path: str) -> None:
    found = of(script)
    assert path in found.paths
    assert path.endswith(".gitconfig") or path in found.folders


@pytest.mark.parametrize(
    "script",
    [
        "curl -o out https://x.example",
        "rm -r build",
        "git -C sub push",
        "make -C sub",
        "git push",
        "LD_LIBRARY_PATH=/usr/lib make",
        "A=1 make",
    ],
)
def test_where_a_command_stands_and_what_nobody_can_change_is_not_held_whole(script: str) -> None:
    assert of(script).folders == ()


def test_a_variable_that_is_known_only_at_run_time_makes_a_yes_loose() -> None:
    assert of("HOME=$(mktemp -d) git push").loose == ("HOME is known only when it runs: what it leads to may change",)
    assert of("export npm_config_userconfig=$(cat x); npm publish").loose != ()
    for script in ("git -c core.hooksPath=$(cat p) push", "make -I $(cat x)", "make -I$DIR"):
        (said,) = of(script).loose
        assert said.endswith("is known only when it runs: what it leads to may change")
    assert of("for f in *.py; do git add $f; done; read line < x; git push").loose == ()


def test_so_does_a_folder_that_holds_more_than_is_looked_at() -> None:
    files = (HeldFile("/w/a", 3, 3, ""), HeldFile("/w/cfg/", 5000, 2000, ""))
    held = held_to(Named(loose=("x",)), files, "s", disturbed=False, shows="")
    assert held.loose == ("x", "/w/cfg/ holds more than is looked at: the rest may change")
