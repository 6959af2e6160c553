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
        ("mise exec node@20 -- npm publish", ("npm", "publish")),
        ("npx npm@10 access x", ("npm", "access", "x")),
        ("yarn workspaces foreach -A npm publish", ("yarn", "npm", "publish")),
        ("git-push --force", ("git", "push", "--force")),
        ("git -c alias.p=push p -f", ("git", "push", "-f")),
        ("git for-each-repo --config=x push", ("git", "push")),
        ("make CC='rm -rf build;'", ("rm", "-rf", "build")),
        ("make test ARGS='x && rm -rf build'", ("rm", "-rf", "build")),
        ("make test ARGS='$(shell rm -rf build)'", ("rm", "-rf", "build")),
        ("yarn exec 'rm -rf build'", ("rm", "-rf", "build")),
        ("bun exec 'rm -rf build'", ("rm", "-rf", "build")),
        ("strace -o '|rm -rf build' ls", ("rm", "-rf", "build")),
        ("strace --output='!rm -rf build' ls", ("rm", "-rf", "build")),
        ("fd x --exec=rm -rf", ("rm", "-rf", None)),
        ("concurrently 'npm:watch-*'", ("npm", "run", "watch-*")),
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


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("shell2http / 'rm -rf x'", ("rm", "-rf", "x")),
        ("lerna exec 'cat ./x'", ("cat", "./x")),
        ("tmux start \\; run-shell 'rm x'", ("rm", "x")),
        ("tmux bind x run-shell 'rm x'", ("rm", "x")),
        ("hyperfine -N 'rm x'", ("rm", "x")),
        ("sops exec-env f 'rm x'", ("rm", "x")),
        ("fzf --bind 'start:execute(rm -rf x)'", ("rm", "-rf", "x")),
        ("psql -c 'select 1' -o '| rm -rf x'", ("rm", "-rf", "x")),
        ("rpm --eval '%(rm -rf x)'", ("rm", "-rf", "x")),
        ("duckdb -c '.shell rm -rf x'", ("rm", "-rf", "x")),
        ("go vet -vettool='mv ./x y'", ("mv", "./x", "y")),
    ],
)
def test_a_text_that_is_a_command_is_read(text: str, inner: tuple[str, ...]) -> None:
    assert inner in argvs(text)


@pytest.mark.parametrize("text", ["notify 'rm the old one'", "notify 'cat is here - or not'", "echo 'rm -rf x'"])
def test_a_sentence_is_none(text: str) -> None:
    assert len(argvs(text)) == 1
