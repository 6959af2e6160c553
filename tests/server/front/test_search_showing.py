from typing import Any

import pytest
from mcp.types import CallToolResult, TextContent

from server.front.search_showing import show_matches, show_names
from server.sandbox.search import Ending, Hit, Line, Searched

ASKED = {"pattern": "x", "path": ".", "limit": 20}


def text_of(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


def hit(path: str, *matching: int, around: int = 0) -> Hit:
    numbers = sorted({n + step for n in matching for step in range(-around, around + 1) if n + step > 0})
    return Hit(path, tuple(Line(n, f"text {n}", matches=n in matching) for n in numbers))


def shown(*hits: Hit, end: Ending = "whole", limit: int = 20, **more: Any) -> str:
    found = Searched(hits, end, hits[-1].path if hits else "/w/a", **more)
    return text_of(show_matches(found, frozenset(hit.path for hit in hits), {**ASKED, "limit": limit}))


def test_a_few_matches_come_with_the_lines_around_them() -> None:
    assert shown(hit("/w/a", 2, around=1), hit("/w/b", 5, 9, around=1)) == (
        "/w/a-1-text 1\n/w/a:2:text 2\n/w/a-3-text 3\n--\n/w/b-4-text 4\n/w/b:5:text 5\n/w/b-6-text 6\n"
        "--\n/w/b-8-text 8\n/w/b:9:text 9\n/w/b-10-text 10"
    )


def test_many_matches_come_alone() -> None:
    assert shown(hit("/w/a", *range(2, 40, 3), around=1)).splitlines() == [
        f"/w/a:{n}:text {n}" for n in range(2, 40, 3)
    ]


def test_what_is_over_the_limit_is_counted_and_the_calls_for_it_are_named() -> None:
    said = shown(hit("/w/a", *range(1, 30)), hit("/w/sub/b", 1), limit=29)

    assert said.splitlines()[-1] == (
        '[1 more, from /w/sub/b on: file_search(pattern="x", path=".", limit=116) shows more, '
        'file_search(pattern="x", path="/w/sub", limit=29) searches that folder alone]'
    )
    assert "/w/a:29:text 29" in said


def test_the_limit_is_of_lines_that_match() -> None:
    assert shown(hit("/w/a", 2, 8, around=1), limit=1).splitlines()[0] == "/w/a:2:text 2"


def test_nothing_is_an_answer() -> None:
    assert shown() == "(nothing found)"


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("time", "not whole: the time was over at /w/a; file_search("),
        ("memory", "not whole: out of memory"),
        ("broken", "not whole: ended by something in the sandbox"),
        ("enough", "more follow, from /w/a on: "),
    ],
)
def test_a_search_that_is_not_whole_says_so(end: Ending, said: str) -> None:
    assert said in shown(hit("/w/a", 1), end=end)


def test_what_is_not_judged_any_more_is_not_promised_for_a_higher_limit() -> None:
    assert shown(hit("/w/sub/a", 1), end="judged").splitlines()[-1] == (
        "[not whole: one answer has at most 500 files with matches, and more follow from /w/sub/a on; "
        'file_search(pattern="x", path="/w/sub", limit=20) searches that folder alone, or choose a narrower glob]'
    )
    assert "limit=4) shows more" in shown(hit("/w/sub/a", 1, 2), end="judged", limit=1)


def test_what_was_left_out_is_said() -> None:
    assert "2 files over 1 GiB were not searched (/w/big)" in shown(large=2, larges=("/w/big",))
    assert "3 binary files" in shown(binary=3)
    assert "binary" not in shown(hit("/w/a", 1), binary=3)
    assert "1 files or folders could not be read" in shown(unread=1)


def test_files_that_may_not_be_read_are_counted_and_not_named() -> None:
    found = Searched((hit("/w/.env", 1), hit("/w/a", 1)), "whole")
    said = text_of(show_matches(found, frozenset({"/w/a"}), ASKED))

    assert ".env" not in said
    assert "1 files are not shown: the policy does not" in said


def test_an_error_is_one() -> None:
    assert show_matches(Searched((), error="no"), frozenset(), ASKED).is_error


def test_lines_of_odd_characters_stay_lines() -> None:
    odd = Hit("/w/a\nb", (Line(1, "a\x1b[2Jb\udcff\tc", matches=True),))

    assert shown(odd) == '"/w/a\\nb":1:a\ufffd[2Jb\ufffd\tc'


def test_names_are_shown_where_their_folder_may_be_listed() -> None:
    found = Searched((Hit("/w/a"), Hit("/w/p/b"), Hit("/w/l", is_link=True)), "whole")
    said = text_of(show_names(found, frozenset({"/w"}), {"path": ".", "glob": "*", "limit": 5}))

    assert said == "/w/a\n/w/l@\n[1 names are not shown: the policy does not let them be read]"
