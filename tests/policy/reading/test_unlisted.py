"""Commands in the words of programs that nobody listed, and words that only look like one."""

import pytest

from tests.policy.reader import argvs


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("wrapper -n 3 rm -rf build", ("rm", "-rf", "build")),
        ("wrapper run -- git push origin", ("git", "push", "origin")),
        ("lerna exec -- /bin/sh -c 'id'", ("/bin/sh", "-c", "id")),
        ("npm explore x -- rm -rf build", ("rm", "-rf", "build")),
        ("viewer --pager='rm -rf build' x", ("rm", "-rf", "build")),
        ("viewer --on-exit 'rm -rf build' x", ("rm", "-rf", "build")),
        ("bat --file-pager='rm -rf build' x", ("rm", "-rf", "build")),
    ],
)
def test_a_command_behind_a_program_that_nobody_listed_is_read(text: str, inner: tuple[str, ...]) -> None:
    assert inner in argvs(text)


@pytest.mark.parametrize(
    "text",
    [
        "grep -rn rm src",
        "apt-get install -y git sh",
        "man git push",
        "echo rm -rf /",
        "npm install git rm",
        "set -- rm -rf /",
        "kubectl exec pod --command ls",
        "viewer --pager=less x",
        'viewer --pager "$PAGER x"',
        "tool sh",
    ],
)
def test_words_that_are_data_are_no_commands(text: str) -> None:
    assert [argv[0] for argv in argvs(text)] == [text.split(maxsplit=1)[0]]
