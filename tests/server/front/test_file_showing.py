import pytest
from mcp.types import CallToolResult, ImageContent, TextContent

from server.front.file_showing import next_call, show_edited, show_entries, show_read, show_written, visible
from server.sandbox.edits import Edited
from server.sandbox.files import Written
from server.sandbox.reading import Binary, Image, Text
from server.sandbox.sandbox import Entry, Listing

ASKED = {"path": "a.py", "offset": 1, "encoding": "text"}


def text_of(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


def test_a_whole_file_is_its_text_and_never_structured() -> None:
    result = show_read(Text("a\n", 1, 1, 1, None, 2), ASKED)

    assert text_of(result) == "a\n"
    assert result.structured_content is None


def test_a_part_of_a_file_ends_with_the_call_that_reads_on() -> None:
    assert text_of(show_read(Text("a\nb\n", 1, 2, 9, 3, 40), ASKED)) == (
        'a\nb\n[lines 1-2 of 9; file_read(path="a.py", offset=3, encoding="text") reads on]'
    )


def test_the_last_part_names_no_further_call() -> None:
    assert text_of(show_read(Text("i", 9, 9, 9, None, 40), ASKED)) == "i\n[lines 9-9 of 9]"


def test_lines_have_numbers_when_asked() -> None:
    assert text_of(show_read(Text("a\r\n\nb", 4, 6, 9, None, 40), ASKED | {"encoding": "numbered"})) == (
        "4\ta\n5\t\n6\tb\n[lines 4-6 of 9]"
    )


def test_a_line_that_is_too_long_is_read_on_in_bytes() -> None:
    shown = text_of(show_read(Text("x" * 9, 1, 1, 1, 2, 20, cut=9), ASKED))

    assert 'file_read(path="a.py", offset=10, encoding="base64") reads on in it, in bytes' in shown
    assert "offset=2" not in shown


def test_what_it_took_to_make_text_is_said() -> None:
    assert text_of(show_read(Text("a\n", 1, 1, 1, None, 2, None, ("UTF-16-LE",)), ASKED)) == "a\n[UTF-16-LE]"


def test_an_image_is_an_image_with_its_size_in_words() -> None:
    image, said = show_read(Image(b"\x89PNG", "image/png"), ASKED).content

    assert isinstance(image, ImageContent)
    assert image.mime_type == "image/png"
    assert isinstance(said, TextContent)
    assert said.text == "[image/png, 4 bytes]"


def test_bytes_are_base64_alone_or_with_the_call_for_the_next_ones() -> None:
    asked = {"path": "a", "offset": 1, "encoding": "base64"}

    assert text_of(show_read(Binary(b"abc", 0, 3), asked)) == "YWJj"
    assert text_of(show_read(Binary(b"abc", 0, 9), asked)) == (
        'YWJj\n[bytes 1-3 of 9; file_read(path="a", offset=4, encoding="base64") reads on]'
    )


def test_an_empty_file_is_said_to_be_one() -> None:
    assert text_of(show_read(Text("", 1, 0, 0, None, 0), ASKED)) == "(the file is empty)"


def test_a_call_is_spelled_so_that_it_can_be_made() -> None:
    assert next_call("file_list", {"path": 'a"b', "limit": 5}, limit=None, glob="x") == (
        'file_list(path="a\\"b", glob="x")'
    )


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a b.py", "a b.py"),
        ("größe", "größe"),
        ("a\n[0 more]", '"a\\n[0 more]"'),
        ("caf\udce9.txt", "$'caf\\xe9.txt'"),
        ("it's\udcff\n", "$'it\\'s\\xff\\x0a'"),
    ],
)
def test_names_that_would_forge_lines_or_are_no_text_are_escaped(name: str, shown: str) -> None:
    assert visible(name) == shown


def test_entries_show_what_they_are() -> None:
    listing = Listing((Entry("f", "file"), Entry("d", "directory"), Entry("l", "link"), Entry("p", "fifo")), 4)

    assert text_of(show_entries(listing, {"path": "."})) == "f\nd/\nl@\np|"
    assert text_of(show_entries(Listing((), 0), {"path": "."})) == "(the directory is empty)"


def test_a_longer_directory_names_the_calls_for_more() -> None:
    shown = text_of(show_entries(Listing((Entry("a", "file"),), 4), {"path": ".", "limit": 1}))

    assert '[3 more; file_list(path=".", limit=4) lists more' in shown


def test_a_directory_that_is_too_long_to_count_says_so() -> None:
    shown = text_of(show_entries(Listing((Entry("a", "file"),), 100_000, whole=False), {"path": ".", "limit": 1}))

    assert "more than 99999 more" in shown


def test_other_names_of_a_file_are_not_kept_quiet() -> None:
    assert "2 names (hard links)" in text_of(show_written(Written("/a", 1, created=False, names=2)))
    assert "2 names (hard links)" in text_of(show_edited(Edited("/a", 1, "@@", names=2)))
    assert text_of(show_written(Written("/a", 1, created=True))) == "created /a (1 bytes)"


def test_an_edit_says_how_many_places_and_that_crlf_was_kept() -> None:
    assert text_of(show_edited(Edited("/a", 3, "@@", crlf=True))) == (
        "edited /a, 3 places; line endings kept as CRLF\n@@"
    )


def test_a_name_that_would_forge_lines_is_escaped_in_what_is_said_of_it() -> None:
    assert text_of(show_written(Written("/w/a\nb", 1, created=True))) == 'created "/w/a\\nb" (1 bytes)'
    assert text_of(show_edited(Edited("/w/a\x1b[2J", 1, "the diff"))) == 'edited "/w/a\\u001b[2J"\nthe diff'
