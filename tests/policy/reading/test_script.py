import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.reading import bounds
from policy.reading.bounds import hides_characters, refusal
from policy.reading.script import read_script
from policy.reading.tree import Unparsable
from tests.policy.reader import CWD, HOME, WORKSPACES, parse, read, read_words


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("echo \0", "NUL"),
        ("x" * 40_000, "longer"),
        ("é" * 17_000, "longer"),
        ("{ " * 50, "nested"),
        ("$(" * 50, "nested"),
        ("{ case x in x) " * 50, "nested"),
        ("[" * 50, "nested"),
        ("if a; then " * 250, "compound"),
        ("while a; do\n" * 250, "compound"),
    ],
)
def test_bombs_are_refused_before_a_parser_sees_them(text: str, reason: str) -> None:
    reading = read(text)

    assert reading.commands == ()
    assert reason in str(reading.script.parse_error)


def test_a_long_program_in_a_quoted_here_document_is_data() -> None:
    program = "".join(f"if a[{number}]:\n    for x in (1,): pass\n" for number in range(300))

    assert refusal(f"cat > p.py <<'EOF'\n{program}EOF\npython3 p.py") is None
    assert read(f"cat > p.py <<'EOF'\n{program}EOF\npython3 p.py").script.parse_error is None


def test_a_text_inside_texts_without_end_is_an_error_and_not_silence() -> None:
    text = "true"
    for _ in range(bounds.PASSES + 2):
        text = f"eval {json.dumps(text)}".replace("$", "\\$")
        if len(text) > bounds.TEXT_BYTES // 3:
            break

    assert read(text).script.parse_error


def test_too_many_nested_texts_are_an_error() -> None:
    assert "inside texts" in str(read(";".join(f"eval 'a {number}'" for number in range(100))).script.parse_error)


def test_too_many_wrappers_are_an_error() -> None:
    assert "wrapped" in str(read("env " * 100 + "true").script.parse_error)


def test_too_many_commands_are_an_error() -> None:
    assert "commands" in str(read("a;" * 2_500).script.parse_error)


def test_an_argv_that_is_too_long_or_holds_nul_is_an_error() -> None:
    assert read_words("x" * 40_000).script.parse_error
    assert read_words("a\0b").script.parse_error


def test_a_nested_text_that_cannot_be_read_is_an_error() -> None:
    assert str(read("sh -c 'if'").script.parse_error).startswith("sh -c:")
    assert read("sh -c '" + "{ " * 50 + "'").script.parse_error


def test_a_text_that_may_not_be_bash_becomes_inline_code() -> None:
    script = read("fish -c 'if true; echo x; end'").script

    assert script.parse_error is None
    assert {code.interpreter for code in script.inline_code} == {"fish"}


def test_a_parser_that_fails_is_an_error() -> None:
    reader = read_script("ls", CWD, HOME, WORKSPACES)
    assert next(reader) == "ls"

    with pytest.raises(StopIteration) as end:
        reader.send(Unparsable("it was stopped"))
    assert end.value.value.script.parse_error == "it was stopped"


def test_a_tree_deeper_than_python_can_walk_is_an_error() -> None:
    tree = parse("{ ls; }")
    assert isinstance(tree, dict)
    inner: dict[str, Any] = tree["Stmts"][0]
    for _ in range(5_000):
        inner = {**tree["Stmts"][0], "Cmd": {**tree["Stmts"][0]["Cmd"], "Stmts": [inner]}}
    reader = read_script("ls", CWD, HOME, WORKSPACES)
    next(reader)

    with pytest.raises(StopIteration) as end:
        reader.send({**tree, "Stmts": [inner]})
    assert "deep" in end.value.value.script.parse_error


@pytest.mark.parametrize(
    "text",
    ["true #\\\nshred x", "true # a \\\nshred x", "#\\\nshred x", "true \\\n#\\\nshred x", "true é #é\\\nshred x"],
)
def test_a_comment_ends_with_its_line_whatever_the_parser_thinks(text: str) -> None:
    assert ("shred", "x") in [command.argv for command in read(text).commands]


@pytest.mark.parametrize(
    "text", ['say "Fix #12" \\\n--body', "say ' #' \\\n--body", "say x#y \\\n--body", "say $# \\\n--body"]
)
def test_a_hash_in_a_word_is_no_comment(text: str) -> None:
    assert [command.argv[-1] for command in read(text).commands] == ["--body"]


def test_a_return_that_cannot_be_told_from_another_character_is_an_error() -> None:
    assert read("say \r \x01").script.parse_error
    assert read("say \x01").commands[0].argv == ("say", "\x01")


def test_emoji_with_joiners_are_flagged_and_plain_ones_are_not() -> None:
    assert hides_characters("👩\u200d💻")
    assert not hides_characters("🎉 é 修\n\t")


@pytest.mark.parametrize("text", ["coproc a=1 tool", "coproc tool a[0]=1", "coproc 2>&1 tool", "\\'x=[ tool"])
def test_what_the_parser_reads_otherwise_than_bash_is_an_error(text: str) -> None:
    assert read(text).script.parse_error


@settings(max_examples=150)
@given(st.text("abx=1 \n\\;&|<>(){}[]$`'\"#!*?~-+@%^,:/", max_size=30))
def test_the_reader_never_raises_on_a_tree_the_parser_gives(text: str) -> None:
    reading = read(text)

    assert reading.script.parse_error is None or isinstance(reading.script.parse_error, str)
