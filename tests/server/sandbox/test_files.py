from typing import Literal

import pytest

from policy.question import CallerFacts, Question, SessionFacts, UseFile
from policy.verdict import Allow, permit
from server.sandbox import files
from server.sandbox.files import Binary, Edited, Text
from server.sandbox.sandbox import FileRefused, Found
from tests.fakes import FakeSandbox

pytestmark = pytest.mark.anyio

PATH = "/workspace/a.py"
FOUND = Found(1, PATH, True)
PERMIT = permit(
    Question(CallerFacts("ann"), "file_read", SessionFacts("s", "base"), UseFile("read", PATH), {}), Allow()
)


def box(content: bytes) -> FakeSandbox:
    return FakeSandbox(files={PATH: content})


async def read(
    content: bytes, offset: int = 1, limit: int = 100, encoding: Literal["text", "base64"] = "text"
) -> Text | Binary:
    return await files.read(box(content), PERMIT, FOUND, offset, limit, encoding)


async def edit(content: bytes, old: str, new: str, *, replace_all: bool = False) -> tuple[Edited, bytes]:
    sandbox = box(content)
    return await files.edit(sandbox, PERMIT, FOUND, old, new, replace_all=replace_all), sandbox.files[PATH]


async def test_lines_are_counted_from_one_and_the_next_offset_is_named() -> None:
    assert await read(b"a\nb\nc\nd\n", 2, 2) == Text("b\nc\n", 2, 3, 4, 4, cut=False)


async def test_the_last_lines_need_no_next_offset() -> None:
    assert await read(b"a\nb\n", 2, 5) == Text("b\n", 2, 2, 2, None, cut=False)


async def test_bytes_that_are_no_text_are_told_apart() -> None:
    with pytest.raises(FileRefused, match="encoding=base64"):
        await read(b"\x7fELF\0\0")

    assert await read(b"\x7fELF\0\0", encoding="base64") == Binary(b"\x7fELF\0\0", 6, None)


@pytest.mark.parametrize(
    ("data", "mime"),
    [(b"\x89PNG\r\n\x1a\n..", "image/png"), (b"RIFF....WEBPVP8", "image/webp"), (b"\xff\xd8\xff\xe0", "image/jpeg")],
)
async def test_images_come_as_images(data: bytes, mime: str) -> None:
    content = await read(data)

    assert isinstance(content, Binary)
    assert content.mime == mime


async def test_a_riff_file_that_is_no_image_is_not_shown_as_one() -> None:
    with pytest.raises(FileRefused, match="base64"):
        await read(b"RIFF....WAVE\0\0")


async def test_an_exact_edit_changes_one_place_and_shows_it() -> None:
    edited, after = await edit(b"x = 1\ny = 2\n", "x = 1", "x = 10")

    assert after == b"x = 10\ny = 2\n"
    assert "-x = 1\n+x = 10" in edited.diff


async def test_text_that_is_there_twice_is_not_guessed_at() -> None:
    with pytest.raises(FileRefused, match=r"2 times \(lines 1, 3\)"):
        await edit(b"a\nb\na\n", "a", "c")

    assert (await edit(b"a\nb\na\n", "a", "c", replace_all=True))[1] == b"c\nb\nc\n"


async def test_a_miss_shows_what_is_near() -> None:
    with pytest.raises(FileRefused, match=r"nearest, at line 2:\n    return total // 10"):
        await edit(b"def f():\n    return total // 10\n", "return total / 10", "x")


@pytest.mark.parametrize(("old", "new"), [("", "x"), ("a", "a")])
async def test_an_edit_that_says_nothing_is_refused(old: str, new: str) -> None:
    with pytest.raises(FileRefused):
        await edit(b"a\n", old, new)


async def test_line_endings_are_left_as_they_are() -> None:
    assert (await edit(b"a\r\nb\r\n", "a", "c"))[1] == b"c\r\nb\r\n"


@pytest.mark.parametrize(("content", "encoding"), [("not base64!", "base64"), ("\ud800", "text")])
async def test_content_that_is_not_what_it_says_is_refused(content: str, encoding: Literal["text", "base64"]) -> None:
    with pytest.raises(FileRefused, match="not valid"):
        files.decode(content, encoding)


async def test_a_near_miss_looks_at_the_beginning_of_long_lines_only() -> None:
    line = "".join(chr(0x4E00 + number % 150) for number in range(150_000))
    with pytest.raises(FileRefused) as missed:
        await edit(line.encode(), line + "z", "y")

    assert len(str(missed.value)) < 2 * files.NEAR_WIDTH


async def test_a_diff_names_its_lines_and_merges_places_on_one_line() -> None:
    edited, after = await edit(b"1\n2\na a\n4\n5\n6\n7\na\n", "a", "b\nc", replace_all=True)

    assert after == b"1\n2\nb\nc b\nc\n4\n5\n6\n7\nb\nc\n"
    assert "@@ -1,5 +1,7 @@" in edited.diff
    assert "@@ -6,3 +8,4 @@" in edited.diff
    assert edited.diff.count("-a a") == 1
