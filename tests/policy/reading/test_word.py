import shlex

from hypothesis import given, settings
from hypothesis import strategies as st

from policy.reading import braces, quoting
from policy.reading.piece import Piece
from tests.policy.reader import argvs, commands

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=12)
ALPHABET = st.text("ab{},.~*?[]!#'\"\\$ `\n-=/", max_size=10)


@settings(max_examples=60)
@given(st.lists(ALPHABET | TEXT, min_size=1, max_size=4))
def test_a_quoted_word_is_read_as_what_was_quoted(words: list[str]) -> None:
    assert argvs("say " + shlex.join(words)) == [("say", *words)]


@settings(max_examples=60)
@given(ALPHABET | TEXT)
def test_a_double_quoted_word_is_read_as_what_was_quoted(text: str) -> None:
    quoted = "".join("\\" + character if character in '\\"$`' else character for character in text)

    assert argvs(f'say "{quoted}"') == [("say", text)]


@settings(max_examples=60)
@given(TEXT)
def test_an_ansi_c_quoted_word_is_read_as_what_was_quoted(text: str) -> None:
    quoted = "".join(f"\\x{byte:02x}" for byte in text.encode())

    assert argvs(f"say $'{quoted}'") == [("say", text)]


def test_a_nul_ends_an_ansi_c_string() -> None:
    assert quoting.ansi_c("rm\\0x\\n") == "rm"


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert quoting.ansi_c("a\\xffb\\UFFFFFFFF") == "a\ufffdb\ufffd"


def test_unknown_escapes_keep_their_backslash() -> None:
    assert quoting.ansi_c("\\q\\\\\\") == "\\q\\\\"
    assert quoting.double('\\a\\$\\"') == '\\a$"'


def test_more_words_than_one_command_may_cost_are_one_dynamic_word() -> None:
    (command,) = commands("say " + "{a,b}" * 20 + " x{1..99999}")

    assert command.dynamic == ("", "brace", "brace")
    assert command.known == ("", "", "x")


def test_braces_expand_around_pieces_that_are_quoted_or_dynamic() -> None:
    words = braces.expand([Piece("{a,"), Piece("b c", quoted=True), Piece("}"), Piece("", reason="param")])

    assert [[piece.text for piece in word] for word in words] == [["a", ""], ["b c", ""]]


def test_a_home_is_not_expanded_where_bash_does_not() -> None:
    assert argvs("say '~' \\~ ~\"/x\" a~ --x=~ y=~ z=b=~ ~/x:~") == [
        ("say", "~", "~", "~/x", "a~", "--x=~", "y=/home/dev", "z=b=~", "/home/dev/x:~"),
    ]
