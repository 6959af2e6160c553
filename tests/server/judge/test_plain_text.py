import string
import subprocess

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from server.judge import plain_text
from server.judge.plain_text import plain_tree
from tests.policy.reader import parse
from tests.policy.reading.mutations import CORPUS

WORDS = (
    "a", "1", "2", "-x", "--f=g", "a=b", "a+=b", "=", "~", "~/x", "*", "?", "{}", "{", "}", "{a,b}", "if", "fi", "in", "do",
    "time", "declare", "%1", "@", "a@", "a?", "+", ",", ":", ".", "/", "''", '""', "'a b'", '"a  b"', "'|'", "'#'", "'\\'",
    '"\'"', "'\"'", '"|>"', "a'b'c", "a\"b\"'c'", "~'x'", "2>&1", ">x", ">>x", "<x", "2>x", "1>&2", ">& x", ">&-", "> x",
    ">'x y'", ">*", "9>1", "2 >x", "10>x", "a>b", "|", "||", "&&", ";", "&", ";;", "!", "#", "$x", "(",
)  # fmt: skip
BLANKS, SIGNS = st.sampled_from(["", " ", " ", " ", "  "]), st.sampled_from([" | ", "|", " && ", "||", "; ", ";"])
COMMANDS = st.lists(st.tuples(st.sampled_from(WORDS), BLANKS).map("".join), max_size=5).map(
    lambda ends: "a " + "".join(ends)
)
TEXTS = st.tuples(st.lists(st.tuples(COMMANDS, SIGNS).map("".join), max_size=3).map("".join), COMMANDS).map("".join)


@settings(max_examples=200)
@given(TEXTS)
def test_a_plain_text_has_the_tree_that_the_parser_gives(text: str) -> None:
    tree = plain_tree(text)
    assume(tree is not None)

    assert tree == parse(text)


def test_so_has_every_plain_text_of_the_corpus() -> None:
    plain = [text for text in CORPUS if plain_tree(text) is not None]

    assert len(plain) > len(CORPUS) / 2
    assert [text for text in plain if plain_tree(text) != parse(text)] == []


@pytest.mark.parametrize("shape", ["{}", "{} b", "a {}", "a {}b", "a b{}", "a >{}", "a '{}'", 'a "{}"'])
def test_so_has_each_character_wherever_it_stands(shape: str) -> None:
    texts = [shape.replace("{}", character) for character in map(chr, range(128))]
    plain = [text for text in texts if plain_tree(text) is not None]

    assert len(plain) > len(string.ascii_letters)
    assert [text for text in plain if plain_tree(text) != parse(text)] == []


def test_no_word_that_means_something_to_bash_is_taken_for_a_program() -> None:
    named = subprocess.run(["bash", "-c", "compgen -bk"], capture_output=True, text=True, check=True).stdout.split()
    texts = [f"{name} a=b" for name in named]
    plain = [text for text in texts if plain_tree(text) is not None]

    assert "while a=b" in texts
    assert [text for text in plain if plain_tree(text) != parse(text)] == []


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "a\n", "a\tb", "a &", "a & b", "a |& b", "a $x", "a `b`", "a \\b", "a #b", "!a", "a !b", "(a)", "a (", "a[1]",
        "x=1", "x=1 a", "'a'", "a >", "a > ; b", "a <<x", "a <(b)", "a >|b", "a &>b", "a b>c", "a 10>c", ">b", "a; ;", "a &&",
        "a ;;", "a é", "a '\n'", 'a "$x"', 'a "`b`"', 'a "\\"', 'a "!b"', "a 'b", 'a "b', "if a", "a; done", "time a",
        "export x=1", "let x=1", "a \u200b", "a \x7f", "a '\x01'",
    ],
)  # fmt: skip
def test_any_other_text_is_for_the_parser(text: str) -> None:
    assert plain_tree(text) is None


def test_a_long_text_is_for_the_parser() -> None:
    assert plain_tree("a" * plain_text.BYTES)
    assert plain_tree("a" * (plain_text.BYTES + 1)) is None
