import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.ops.jsonc import NotJson, put, read, take

OURS = {"command": "/bin/sandgate", "args": ["serve", "--stdio"]}
COMMENTED = """\
// my settings, do not lose this
{
\t"theme": "dark", /* or light */
\t"servers": {
\t\t// the old one
\t\t"zeta": {"command": "z", "env": {"KEY": "ü"}} // last
\t},
\t"list": [1, 2,],
}
"""


def test_comments_and_trailing_commas_are_read() -> None:
    assert read(COMMENTED) == {
        "theme": "dark",
        "servers": {"zeta": {"command": "z", "env": {"KEY": "ü"}}},
        "list": [1, 2],
    }


@pytest.mark.parametrize("text", ["", " \n", "// nothing yet\n", "\ufeff"])
def test_a_text_without_a_value_holds_nothing(text: str) -> None:
    assert read(text) == {}
    assert read(put(text, "servers", "ours", OURS)) == {"servers": {"ours": OURS}}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[]", "does not hold a JSON object"),
        ('{"a" 1}', "colon"),
        ('{"a": 1 "b": 2}', "comma"),
        ("{'a': 1}", "quotes"),
        ('{"a": nope}', "no value"),
        ('{"a": }', "a value was expected"),
        ('{"a": 1} x', "follows its end, in line 1"),
        ('{\n"a": [1 2]}', "in line 2"),
        ('{"a": 1, "a": 2}', "occurs twice"),
        ('{"a": "\n"}', "quotes"),
        ('{"a":' * 300, "too deeply"),
        ('{"a": 1', "comma"),
        ('{"a": [', "a value was expected"),
    ],
)
def test_what_is_not_json_is_refused_with_its_place(text: str, sentence: str) -> None:
    with pytest.raises(NotJson, match=sentence):
        read(text)


def test_a_member_is_added_with_the_files_own_indent_and_nothing_else_changes() -> None:
    after = put(COMMENTED, "servers", "ours", OURS)

    assert '\t\t"ours": {\n\t\t\t"command"' in after
    assert [line for line in COMMENTED.splitlines() if line not in after.splitlines()] == [
        '\t\t"zeta": {"command": "z", "env": {"KEY": "ü"}} // last'
    ]
    assert '"ü"}}, // last' in after
    assert take(after, "servers", "ours") == COMMENTED


def test_a_missing_object_is_made() -> None:
    assert read(put(COMMENTED, "other", "ours", OURS))["other"] == {"ours": OURS}


def test_an_object_that_is_something_else_is_not_replaced() -> None:
    with pytest.raises(NotJson, match="not an object"):
        put('{"servers": []}', "servers", "ours", OURS)


def test_a_member_that_is_there_is_replaced_where_it_stands() -> None:
    text = '{"servers": {"ours": {"command": "old"}, "b": {}}}'

    assert list(read(put(text, "servers", "ours", OURS))["servers"].items()) == [("ours", OURS), ("b", {})]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('{"s": {"x": 1, "b": 2}}', '{"s": { "b": 2}}'),
        ('{"s": {"a": 1, "x": 2}}', '{"s": {"a": 1 }}'),
        ('{"s": {"a": 1, "x": 2,}}', '{"s": {"a": 1, }}'),
        ('{"s": {\n// mine\n"x": 2}}', '{"s": {\n// mine\n}}'),
        ('{"s": {\n  "x": 2\n}}', '{"s": {\n}}'),
        ('{"a": 1}', '{"a": 1}'),
        ("", ""),
    ],
)
def test_a_member_is_taken_out_and_comments_stay(text: str, left: str) -> None:
    assert take(text, "s", "x") == left
    assert "x" not in read(left).get("s", {})


def test_line_ends_stay_what_they_are() -> None:
    text = '{\r\n  "a": 1\r\n}\r\n'
    after = put(text, "s", "x", OURS)

    assert after.count("\n") == after.count("\r\n")


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)


@given(
    content=st.dictionaries(st.text(max_size=3), VALUES, max_size=3),
    others=st.dictionaries(st.text(max_size=3), VALUES, max_size=3),
    indent=st.sampled_from([None, 1, 4, "\t"]),
)
def test_whatever_stands_there_comes_back(content: dict[str, Any], others: dict[str, Any], indent: Any) -> None:
    whole = {**content, "servers": {name: value for name, value in others.items() if name != "ours"}}
    text = json.dumps(whole, indent=indent)

    after = put(text, "servers", "ours", OURS)

    assert read(after) == {**whole, "servers": {**whole["servers"], "ours": OURS}}
    assert read(take(after, "servers", "ours")) == whole
