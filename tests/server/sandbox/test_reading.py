import pytest

from server.sandbox import reading
from server.sandbox.reading import Binary, Encoding, Image, Part, Text
from server.sandbox.sandbox import FileRefused, Found
from tests.fakes import FakeSandbox
from tests.live import using

pytestmark = pytest.mark.anyio

PATH = "/workspace/a.py"


async def read(
    content: bytes, offset: int = 1, limit: int | None = None, encoding: Encoding = "text"
) -> Text | Binary | Image:
    box = FakeSandbox(files={PATH: content})
    return await reading.read(box, using(PATH), Found(1, PATH, True), Part(offset, limit, encoding))


async def lines(content: bytes, offset: int = 1, limit: int | None = None, encoding: Encoding = "text") -> Text:
    found = await read(content, offset, limit, encoding)
    assert isinstance(found, Text)
    return found


async def test_lines_are_counted_from_one_and_the_next_one_is_named() -> None:
    assert await lines(b"a\nb\nc\nd\n", 2, 2) == Text("b\nc\n", 2, 3, 4, 4, 8)


async def test_the_last_lines_need_no_next_one() -> None:
    assert await lines(b"a\nb", 2, 5) == Text("b", 2, 2, 2, None, 3)


async def test_an_empty_file_has_no_lines() -> None:
    assert await lines(b"") == Text("", 1, 0, 0, None, 0)


@pytest.mark.parametrize("content", [b"", b"a\n", b"a\nb"])
async def test_a_line_beyond_the_end_is_refused_with_how_many_there_are(content: bytes) -> None:
    with pytest.raises(FileRefused, match=r"ends before line 9: it has \d lines"):
        await read(content, 9)


async def test_only_newlines_end_lines() -> None:
    assert (await lines("a\x0cb\u2028c\rd\n".encode())).total == 1


async def test_every_line_is_the_same_wherever_the_pieces_end(monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"".join(b"%d %s\n" % (number, b"x" * (number % 13)) for number in range(300))
    monkeypatch.setattr(reading, "PIECE", 7)
    for first in (1, 2, 57, 299, 300):
        found = await lines(content, first, 3)
        expected = content.splitlines(keepends=True)[first - 1 : first + 2]
        assert found.text.encode() == b"".join(expected)
        assert found.total == 300


async def test_an_answer_is_bounded_and_cut_between_lines() -> None:
    found = await lines(b"%s\n" % (b"x" * 99) * 2000)

    assert len(found.text) == reading.MAX_CHARS
    assert (found.last, found.next_line, found.total, found.cut) == (480, 481, 2000, None)


async def test_an_endless_line_is_cut_and_says_where_to_read_on() -> None:
    found = await lines(b"x" * 500_000 + b"\nend\n")

    assert (len(found.text), found.cut, found.last, found.next_line, found.total) == (48_000, 48_000, 1, 2, 2)
    assert (await lines(b"x" * 500_000 + b"\nend\n", 2)).text == "end\n"


async def test_a_cut_never_goes_through_a_character() -> None:
    found = await lines("ä😀".encode() * 100_000)

    assert "\ufffd" not in found.text
    assert found.cut == len(found.text.encode())


async def test_a_very_long_file_is_not_counted_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_COUNTED", 100)

    assert await lines(b"a\n" * 100, 3, 1) == Text("a\n", 3, 3, None, 4, 200)


async def test_a_line_that_is_too_far_in_is_left_to_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_SCANNED", 100)
    monkeypatch.setattr(reading, "PIECE", 10)

    with pytest.raises(FileRefused, match=r"sed -n '90,\+100p;190q'"):
        await read(b"a\n" * 100, 90)


async def test_bytes_that_are_no_text_are_told_apart() -> None:
    with pytest.raises(FileRefused, match="encoding=base64"):
        await read(b"\x7fELF\0\0")

    assert await read(b"\x7fELF\0\0", encoding="base64") == Binary(b"\x7fELF\0\0", 0, 6)


async def test_bytes_are_read_on_by_offset() -> None:
    assert await read(b"abcdef", 3, 2, "base64") == Binary(b"cd", 2, 6)
    with pytest.raises(FileRefused, match="6 bytes"):
        await read(b"abcdef", 7, 2, "base64")


@pytest.mark.parametrize(
    ("data", "mime"),
    [
        (b"\x89PNG\r\n\x1a\n..IEND\xaeB`\x82", "image/png"),
        (b"RIFF\x08\0\0\0WEBPVP8 ", "image/webp"),
        (b"\xff\xd8\xff\xe0..\xff\xd9", "image/jpeg"),
        (b"GIF89a..;", "image/gif"),
    ],
)
async def test_images_come_as_images_and_half_of_one_does_not(data: bytes, mime: str) -> None:
    assert await read(data) == Image(data, mime)
    with pytest.raises(FileRefused, match="breaks off; encoding=base64"):
        await read(data[:-1])


async def test_what_only_begins_like_an_image_is_text_or_bytes() -> None:
    with pytest.raises(FileRefused, match="base64"):
        await read(b"RIFF....WAVE\0\0")

    assert (await lines(b"GIF8 is a prefix\n")).text == "GIF8 is a prefix\n"


async def test_an_image_that_no_model_takes_is_not_shown_in_half() -> None:
    with pytest.raises(FileRefused, match="smaller copy"):
        await read(b"\xff\xd8\xff" + bytes(reading.MAX_IMAGE))


async def test_bytes_that_were_replaced_are_named() -> None:
    found = await lines(b"ok\ncaf\xe9 \xff\n")

    assert found.text == "ok\ncaf\ufffd \ufffd\n"
    assert found.remarks[0].startswith(
        "not UTF-8: bytes shown as \ufffd: 0xe9 in line 2, 0xff in line 2; encoding=latin-1"
    )


async def test_replaced_bytes_are_counted_from_the_line_that_was_asked_for() -> None:
    assert "0xe9 in line 3 " not in (await lines(b"a\nb\n\xe9\n", 3)).remarks[0]
    assert "0xe9 in line 3;" in (await lines(b"a\nb\n\xe9\n", 3)).remarks[0]


async def test_latin_1_is_read_when_it_is_asked_for() -> None:
    assert await lines(b"caf\xe9\n", encoding="latin-1") == Text("café\n", 1, 1, 1, None, 5)


async def test_a_byte_order_mark_is_said_and_not_shown() -> None:
    found = await lines(b"\xef\xbb\xbfa\nb\n")

    assert found.text == "a\nb\n"
    assert found.remarks == ("begins with a UTF-8 byte-order mark, not shown",)


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
async def test_utf_16_is_known_by_its_mark(codec: str) -> None:
    data = "\ufeffä\nb\nc\n".encode(codec)
    found = await lines(data, 1, 2)

    assert found == Text("ä\nb\n", 1, 2, 3, 3, len(data), None, (f"{codec.upper()} by its byte-order mark",))


async def test_utf_16_without_a_mark_is_not_guessed_at_but_read_when_asked_for() -> None:
    data = "a\nb".encode("utf-16-le")
    with pytest.raises(FileRefused, match="binary"):
        await read(data)

    assert (await lines(data, 2, encoding="utf-16")).text == "b"


async def test_what_is_broken_in_utf_16_is_said() -> None:
    assert "1 characters could not be decoded" in (await lines(b"\xff\xfea\0\x00\xd8b\0")).remarks[1]
