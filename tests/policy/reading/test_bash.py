"""bash itself as the witness: whatever it tries to run must have been read, where it tries to run it.

Bash runs in a jail of its own (jail.py), so that hostile commands are run as they are.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from policy.command import Reading
from policy.reading.script import read_script
from tests.folders import short_folder
from tests.policy.reader import answer
from tests.policy.reading.jail import CWD, HOME, Jail, Ran
from tests.policy.reading.scripts import DIRECTORY_SCRIPTS, SCRIPTS, SOUP

TESTS = Path(__file__).parent.parent
FILES = ("corpus.jsonl", "rego/commands.jsonl", "rego/evasions.jsonl")
COMMANDS = list(
    dict.fromkeys(json.loads(line)["command"] for name in FILES for line in (TESTS / name).read_text().splitlines())
)
SLOW = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow)


@pytest.fixture(scope="module")
def jail() -> Iterator[Jail]:
    with short_folder() as folder:  # not pytest's own, which nobody else may enter
        built = Jail.build(folder / "root")
        if not built.works():
            pytest.skip("this machine gives us no namespaces (unshare) to run bash in")
        yield built


def matches(words: Sequence[str], pattern: Sequence[str | None]) -> bool:
    """A dynamic word may have become any number of words."""
    if not pattern:
        return not words
    if pattern[0] is None:
        return any(matches(words[skipped:], pattern[1:]) for skipped in range(len(words) + 1))
    return bool(words) and words[0] == pattern[0] and matches(words[1:], pattern[1:])


def read(script: str) -> Reading:
    return answer(read_script(script, CWD, HOME, (CWD,)))


def decides(reading: Reading) -> bool:
    """Whether the reading claims to know all that runs; a name it does not know may be anything, eval included."""
    script = reading.script
    unsure = script.parse_error or script.latent_arithmetic or any(code.code is None for code in script.inline_code)
    return not unsure and all(command.name is not None for command in reading.commands)


def unread(script: str, jail: Jail) -> list[Ran]:
    """What bash ran that is not in the reading: wrong words, or a directory that was not thought of."""
    reading = read(script)
    if not decides(reading):
        return []
    return [ran for ran in jail.run(script) if not (_was_read(ran, reading) or _finds_nothing(ran, script))]


def _finds_nothing(ran: Ran, script: str) -> bool:
    """In the jail `$(which x) -f` is a program named -f, because there is no x; elsewhere there is no -f."""
    return ran.argv[0].startswith("-") and ("which" in script or "command -v" in script)


def _was_read(ran: Ran, reading: Reading) -> bool:
    return any(
        matches(ran.argv, command.argv) and not {ran.cwd, None}.isdisjoint((command.cwd, *command.other_cwds))
        for command in reading.commands
    )


@pytest.mark.parametrize("script", COMMANDS, ids=lambda script: script[:40])
def test_whatever_bash_runs_was_read(script: str, jail: Jail) -> None:
    assert unread(script, jail) == []


def test_the_witness_sees_commands(jail: Jail) -> None:
    sample = COMMANDS[::10]

    assert sum(bool(jail.run(script)) for script in sample) > len(sample) // 2
    assert len(COMMANDS) >= 400


@settings(max_examples=150, suppress_health_check=SLOW)
@given(SOUP)
def test_no_mixture_of_tokens_hides_a_command(jail: Jail, tokens: list[str]) -> None:
    assert unread("say " + "".join(tokens), jail) == []


@settings(max_examples=100, suppress_health_check=SLOW)
@given(DIRECTORY_SCRIPTS)
def test_no_mixture_of_directory_changes_hides_where_a_command_runs(jail: Jail, script: str) -> None:
    assert unread("g() { :; }; " + script, jail) == []


@settings(max_examples=200, suppress_health_check=SLOW)
@given(SCRIPTS)
def test_no_nesting_of_constructs_hides_a_command(jail: Jail, script: str) -> None:
    assert unread(script, jail) == []
