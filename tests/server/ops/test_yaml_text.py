import pytest

from server.ops.yaml_text import NotYaml, put, read, take

OURS = {"type": "stdio", "cmd": "/bin/sandgate", "args": ["serve", "--stdio"], "envs": {}}
COMMENTED = """\
# mine
MODEL: x   # the good one
extensions:
  # comes with it
  developer:
    enabled: true

  memory:
    args:
    - a

# the end
LAST: 'yes'
"""


@pytest.mark.parametrize(
    "text",
    [
        COMMENTED,
        "",
        "# only a comment\n",
        "A: 1\n",
        "extensions:\r\n    x:\r\n        y: 1\r\n",
        "extensions:\n  x: {}\n# last",
    ],
)
def test_a_block_is_put_in_and_taken_out_and_every_other_line_stays(text: str) -> None:
    after = put(text, "extensions", "ours", OURS)

    assert read(after) == {**read(text), "extensions": {**read(text).get("extensions", {}), "ours": OURS}}
    assert take(after, "extensions", "ours").rstrip("\n") == text.rstrip("\n")


def test_a_key_without_a_value_is_filled() -> None:
    assert read(put("extensions:\nA: 1\n", "extensions", "ours", OURS)) == {"extensions": {"ours": OURS}, "A": 1}


def test_a_block_that_is_there_is_replaced_where_it_stands() -> None:
    once = put(COMMENTED, "extensions", "ours", OURS)
    again = put(once, "extensions", "ours", {**OURS, "cmd": "/other"})

    assert again == once.replace("/bin/sandgate", "/other")


def test_only_the_block_goes_where_others_stand_before_and_behind() -> None:
    text = "s:\n  a: 1\n  ours:\n    x:\n\n      y: 2\n\n  b: 3\n"

    assert take(text, "s", "ours") == "s:\n  a: 1\n\n  b: 3\n"
    assert take(text, "s", "other") == text
    assert take(text, "t", "ours") == text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- a\n", "does not hold a mapping"),
        ("a: [", "expected"),
        ("s: {a: {}}\n", "not written as a block"),
        ("s: [a]\n", "not written as a block"),
    ],
)
def test_what_has_no_lines_to_add_to_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(NotYaml, match=sentence):
        put(text, "s", "ours", OURS)
