"""bash itself as the witness: whatever it tries to run must have been read, where it tries to run it.

The shell has no PATH, so that every command that is no builtin ends in a handler that writes down its words. Only the
corpus' commands marked `runs`, and scripts made here of harmless pieces, are run.
"""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policy.command import Reading
from policy.reading.script import read_script
from tests.policy.reader import HOME, answer

BASH = shutil.which("bash") or "/bin/bash"
CORPUS = [json.loads(line) for line in (Path(__file__).parent.parent / "corpus.jsonl").read_text().splitlines()]
RUNS = [case["command"] for case in CORPUS if case.get("runs")]
HANDLER = """command_not_found_handle() { builtin printf '%s\\0' "$PWD" "$#" "$@" >>"$WITNESS"; [ $((${2:-0} % 2)) = 0 ]; }
exec 2>&-
"""
SLOW = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow)


def witnessed(script: str, folder: Path) -> list[tuple[str, list[str]]]:
    """What bash tried to run, as (directory, words)."""
    witness = folder / "witness"
    witness.write_bytes(b"")
    work = folder / "work"
    for name in ("a/b", "b/a"):
        (work / name).mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [BASH, "--noprofile", "--norc", "-c", HANDLER + script],
        cwd=work,
        env={"PATH": "/nonexistent", "HOME": HOME, "LC_ALL": "C.UTF-8", "FUNCNEST": "6", "WITNESS": str(witness)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=20,
        check=False,
    )
    return list(_records(witness.read_bytes().decode("utf-8", "replace").split("\0")[:-1]))


def _records(fields: list[str]) -> Sequence[tuple[str, list[str]]]:
    records = []
    while fields:
        count = int(fields[1])
        records.append((fields[0], fields[2 : 2 + count]))
        fields = fields[2 + count :]
    return records


def matches(words: list[str], pattern: Sequence[str | None]) -> bool:
    """A dynamic word may have become any number of words."""
    if not pattern:
        return not words
    if pattern[0] is None:
        return any(matches(words[skipped:], pattern[1:]) for skipped in range(len(words) + 1))
    return bool(words) and words[0] == pattern[0] and matches(words[1:], pattern[1:])


def read_in(folder: Path, script: str) -> Reading:
    work = str(folder / "work")
    return answer(read_script(script, work, HOME, (work,)))


def unread(script: str, folder: Path) -> list[object]:
    """What bash ran that is not in the reading: wrong words, or a directory that was not thought of."""
    reading = read_in(folder, script)
    if reading.script.parse_error or reading.script.latent_arithmetic:
        return []
    if any(command.name is None for command in reading.commands):  # it may be anything, `command` and `eval` included
        return []
    return [
        (cwd, words)
        for cwd, words in witnessed(script, folder)
        if not any(
            matches(words, command.argv) and not {cwd, None}.isdisjoint((command.cwd, *command.other_cwds))
            for command in reading.commands
        )
    ]


@pytest.mark.parametrize("script", RUNS, ids=lambda script: script[:40])
def test_whatever_bash_runs_was_read(script: str, tmp_path: Path) -> None:
    assert unread(script, tmp_path) == []


def test_the_witness_sees_commands(tmp_path: Path) -> None:
    assert sum(len(witnessed(script, tmp_path)) for script in RUNS[:40]) > len(RUNS[:40]) // 2


SOUP = (
    "say ", "one ", "x=1 ", "\n", "\\\n", " # c\\\n", "#", "\\", "; ", "&& ", "|| ", "| ", "& ", "! ", "(", ")", "{ ",
    "; }", "$(", "`", '"', "'", "$'", "<<E\n", "\nE\n", "<<'E'\n", "if ", "; then ", "; fi", "time ", "$x", "${x:-",
    "}", "$((1", "))", "[[ ", " ]]", "f() { ", "; }; f", "{a,b}", "{1..3}", "~", "=", "*", "[", "]", "\t", "\r",
    "eval '", "2>&1 ", ">o ", "\\'", "case a in a) ", ";; esac", "declare ", "a[0]=1 ", "coproc ", "é", "$@",
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
@given(st.lists(st.sampled_from(SOUP), min_size=1, max_size=10))
def test_no_mixture_of_tokens_hides_a_command(tmp_path: Path, tokens: list[str]) -> None:
    assert unread("say " + "".join(tokens), tmp_path) == []


LEAVES = st.sampled_from((
    "cd a", "cd b", "cd ..", "cd nope", "cd a/b", "cd -", "cd", "true", "false", "pushd a >o", "popd >o", "exit 0",
    "eval 'cd a'", "command cd b", "cd .. && cd b", "cd nope || exit", "g", "X=1 cd a", "trap 'probe 9' EXIT",
    "probe 1", "probe 2", "probe 3", "probe 4",
))  # fmt: skip
SHAPES = (
    "{0}; {1}", "{0} && {1}", "{0} || {1}", "( {0} ); {1}", "{{ {0}; {1}; }}", "{0} | {1}", "! {0} || {1}",
    "if {0}; then {1}; else {2}; fi", "for i in 1 2; do {0}; {1}; done", "g() {{ {0}; }}; {1}; g", "{0} & wait; {1}",
    "case x in y) {0};; *) {1};; esac; {2}", "n=0; while [ $((n++)) -lt 2 ]; do {0}; {1}; done",
)  # fmt: skip
SCRIPTS = st.recursive(
    LEAVES,
    lambda inner: st.tuples(st.sampled_from(SHAPES), inner, inner, inner).map(
        lambda parts: parts[0].format(*parts[1:])
    ),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None, suppress_health_check=SLOW)
@given(SCRIPTS)
def test_no_mixture_of_directory_changes_hides_where_a_command_runs(tmp_path: Path, script: str) -> None:
    assert unread("g() { :; }; " + script, tmp_path) == []
