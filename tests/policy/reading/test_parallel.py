"""parallel: its command is read with each word behind `:::`, and what it might do beside that is not guessed."""

import pytest

from policy.command import InlineCode
from tests.policy.reader import argvs, read


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("parallel -j4 tool -v ::: a 'b c'", [("tool", "-v", "a"), ("tool", "-v", "b c")]),
        ("parallel 'tool {} > {/.}.out; other' ::: a", [("tool", "a"), ("other",)]),
        ("parallel tool {} ::: *.log", [("tool", None)]),
        ("ls | parallel tool {}.bak x", [("ls",), ("tool", None, "x")]),
        ("parallel sh -c ::: 'tool a'", [("sh", "-c", "tool a"), ("tool", "a")]),
    ],
)
def test_the_command_is_read_with_what_fills_it_in(text: str, inner: list[tuple[str | None, ...]]) -> None:
    assert [argv for argv in argvs(text) if argv[0] != "parallel"] == inner


@pytest.mark.parametrize(
    "text",
    [
        "parallel -S elsewhere tool ::: a",
        "parallel --pipe tool ::: a",
        "parallel tool '{= system 1 =}' ::: a",
        "parallel 'tool \"{}\"' ::: a",
        "parallel tool ::: a ::: b",
        "parallel tool :::: list",
        "parallel rm ::: a",
        "ls | parallel 'tool {}; other'",
    ],
)
def test_more_than_whole_names_in_plain_places_is_code_that_is_not_known(text: str) -> None:
    assert InlineCode("parallel", None) in read(text).script.inline_code
