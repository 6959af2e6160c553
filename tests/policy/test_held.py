"""Which files a yes is bound to: what the command names, and what its program reads although nobody names it."""

from dataclasses import replace

import pytest

from policy.command import Reading, Redirect, SimpleCommand
from policy.held import MOST_PATHS, named_files
from policy.question import CallerFacts, PathUse, Question, RunCommand, SessionFacts

pytestmark = pytest.mark.promise("approval.bound")


def named(*argv: str | None, cwd: str = "/workspace/a/b", paths: tuple[PathUse, ...] = ()) -> tuple[str, ...]:
    name = argv[0].rpartition("/")[2] if argv[0] else None
    command = SimpleCommand(argv, name, "bare", cwd=cwd, redirects=(Redirect("<", 0, "/workspace/in", dynamic=False),))
    act = RunCommand(("bash",), cwd, b"", 1, background=False)
    reading = Reading((command,))
    return named_files(Question(CallerFacts("ann"), "shell", SessionFacts("s", "base"), act, {}, reading, paths))[0]


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

    paths, whole = named_files(question)
    assert "/workspace/deploy.sh" in paths
    assert not whole
    assert named_files(replace(question, reading=Reading((script,))))[1]


def test_there_are_bounds() -> None:
    assert len(named("cat", *(f"f{number}" for number in range(10_000)))) == MOST_PATHS
    assert sum(map(len, named("cat", *("x" * 4_000 + str(number) for number in range(100))))) <= 100_000
