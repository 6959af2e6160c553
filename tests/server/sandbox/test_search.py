import json

import pytest

from server.sandbox.pattern import Pattern
from server.sandbox.sandbox import FileRefused, SandboxLost
from server.sandbox.search import MOST_JUDGED, SPARE, Hit, Line, Query, Searched, checked_glob, searched

END = {"end": "whole", "error": "", "at": "/w/a", "searched": 1, "large": 0, "larges": [], "binary": 0, "unread": 0}


def said(*messages: object) -> bytes:
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


def test_what_was_found_is_told_with_how_it_ended() -> None:
    answer = said({"path": "/w/a", "lines": [[1, "x", 1], [2, "y", 0]]}, {"path": "/w/l", "link": True}, END)

    assert searched(answer, "/w") == Searched(
        (Hit("/w/a", (Line(1, "x", matches=True), Line(2, "y", matches=False))), Hit("/w/l", is_link=True)),
        "whole",
        "/w/a",
    )


def test_half_a_character_is_shown_as_none() -> None:
    (hit,) = searched(b'{"path": "/w/a", "lines": [[1, "\\ud800x", 1]]}', "/w").hits

    assert hit.lines[0].text == "?x"


def test_one_that_did_not_end_by_itself_is_not_whole() -> None:
    assert searched(said({"path": "/w/a", "lines": []}), "/w").end == "broken"
    assert searched(b"", "/w").end == "broken"


def test_a_file_is_its_own_root() -> None:
    assert searched(said({"path": "/w/a"}, END), "/w/a").hits == (Hit("/w/a"),)
    assert searched(said({"path": "/a"}, END), "/").hits == (Hit("/a"),)


@pytest.mark.parametrize(
    "answer",
    [
        b"not json\n",
        b"[1]\n",
        said({"path": "/etc/passwd"}, END),
        said({"path": "/w/../etc/passwd"}, END),
        said({"path": "/ww/a"}, END),
        said({"path": 7}, END),
        said({"path": "/w/a", "lines": [[1]]}, END),
        said({"path": "/w/a", "lines": 3}, END),
        said({**END, "end": "odd"}),
        said({"end": "whole"}),
        b"[" * 100_000,
        b'{"path": "/w/a", "lines": [[1e999, "x", 1]]}',
        said({"path": "/w/a", "lines": [[-1, "x", 1]]}, END),
        said({**END, "large": 10**400}),
    ],
)
def test_what_makes_no_sense_ends_that_session_alone(answer: bytes) -> None:
    with pytest.raises(SandboxLost):
        searched(answer, "/w")


def test_more_is_asked_for_than_is_shown_because_some_may_not_be() -> None:
    assert Query(Pattern("a", "a"), None, 10).message()["most"] == 20 + SPARE
    assert Query(None, "*.py", 10).message()["rust"] == ""


@pytest.mark.parametrize("glob", ["", "/", "!", "../*.py", "a" * 1001, "\udcff", "a["])
def test_a_glob_that_can_match_nothing_is_refused(glob: str) -> None:
    with pytest.raises(FileRefused):
        checked_glob(glob)


def test_only_what_can_be_judged_is_kept_and_the_rest_is_told() -> None:
    line = (Line(1, "x", matches=True),)
    found = Searched((Hit("/w/\udcff", line), *(Hit(f"/w/{n:04}", line) for n in range(MOST_JUDGED + 1))), "whole")
    kept = found.judgeable()

    assert (len(kept.hits), kept.end, kept.at, kept.unspeakable) == (MOST_JUDGED, "judged", f"/w/{MOST_JUDGED:04}", 1)
    assert Searched((Hit("/w/a", line),), "whole").judgeable() == Searched((Hit("/w/a", line),), "whole")


def test_names_are_kept_from_as_many_folders_as_can_be_judged() -> None:
    hits = tuple(Hit(f"/w/{folder:04}/{name}") for folder in range(MOST_JUDGED + 2) for name in "ab")
    kept = Searched(hits, "whole").judgeable()

    assert (len(kept.hits), kept.end, kept.at) == (2 * MOST_JUDGED, "judged", f"/w/{MOST_JUDGED:04}/a")
    assert Searched(hits[: 2 * MOST_JUDGED], "whole").judgeable().end == "whole"
