import errno
from dataclasses import dataclass

import pytest

from policy.verdict import Permit
from server.sandbox import edits
from server.sandbox.edits import Change, Edited
from server.sandbox.sandbox import FileRefused, Found, Stored, WriteMode
from tests.fakes import FakeSandbox
from tests.live import using

pytestmark = pytest.mark.anyio

PATH = "/workspace/a.py"


async def edit(content: bytes, old: str, new: str, *, replace_all: bool = False) -> tuple[Edited, bytes]:
    box = FakeSandbox(files={PATH: content})
    done = await edits.edit(box, using(PATH), Found(1, PATH, True), Change(old, new, replace_all))
    return done, box.files[PATH]


async def test_an_exact_edit_changes_one_place_and_shows_it() -> None:
    edited, after = await edit(b"x = 1\ny = 2\n", "x = 1", "x = 10")

    assert after == b"x = 10\ny = 2\n"
    assert "-x = 1\n+x = 10" in edited.diff
    assert edited.replacements == 1


async def test_text_that_is_there_twice_is_not_guessed_at() -> None:
    with pytest.raises(FileRefused, match=r"2 times \(lines 1, 3\); add lines around it"):
        await edit(b"a\nb\na\n", "a", "c")

    assert (await edit(b"a\nb\na\n", "a", "c", replace_all=True))[1] == b"c\nb\nc\n"


async def test_many_places_are_named_in_part() -> None:
    with pytest.raises(FileRefused, match=r"50 times \(lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, \.\.\.\)"):
        await edit(b"a\n" * 50, "a", "c")


async def test_a_miss_says_what_is_near() -> None:
    with pytest.raises(FileRefused, match="line 2:\n2\t    return total // 10"):
        await edit(b"def f():\n    return total // 10\n", "return total / 10", "x")


@pytest.mark.parametrize(("old", "new"), [("", "x"), ("a", "a"), ("\ud800", "x"), ("a", "\udcff")])
async def test_an_edit_that_says_nothing_is_refused(old: str, new: str) -> None:
    with pytest.raises(FileRefused):
        await edit(b"a\n", old, new)


async def test_crlf_is_kept_where_a_model_writes_newlines() -> None:
    edited, after = await edit(b"a\r\nb\r\nc\r\n", "a\nb", "x\ny\nz")

    assert after == b"x\r\ny\r\nz\r\nc\r\n"
    assert edited.crlf


async def test_one_line_of_a_crlf_file_needs_no_words() -> None:
    edited, after = await edit(b"a\r\nb\r\n", "a", "c")

    assert (after, edited.crlf) == (b"c\r\nb\r\n", False)


async def test_carriage_returns_that_are_spelled_out_are_taken_at_their_word() -> None:
    assert (await edit(b"a\r\nb\r\n", "a\r\n", ""))[1] == b"b\r\n"


async def test_a_file_of_both_line_endings_is_matched_exactly() -> None:
    with pytest.raises(FileRefused, match="line endings"):
        await edit(b"a\r\nb\nc\r\n", "a\nb", "x")


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
async def test_utf_16_stays_what_it_is(codec: str) -> None:
    _, after = await edit("\ufeffgrün\n".encode(codec), "grün", "rot ü")

    assert after == "\ufeffrot ü\n".encode(codec)


async def test_a_byte_order_mark_stays() -> None:
    assert (await edit(b"\xef\xbb\xbfa\n", "a\n", "b\n"))[1] == b"\xef\xbb\xbfb\n"


async def test_bytes_of_another_encoding_are_left_alone() -> None:
    assert (await edit(b"caf\xe9 = 1\n", "= 1", "= 2"))[1] == b"caf\xe9 = 2\n"


async def test_two_encodings_are_not_mixed() -> None:
    with pytest.raises(FileRefused, match="iconv"):
        await edit(b"caf\xe9 = 1\n", "= 1", "= ü")


@pytest.mark.parametrize("content", [b"\x7fELF\0 a", b"\xff\xfea\0\x00\xd8"])
async def test_what_is_no_text_is_not_edited(content: bytes) -> None:
    with pytest.raises(FileRefused, match="in shell"):
        await edit(content, "a", "b")


async def test_a_file_that_is_too_large_is_left_to_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edits, "MAX_EDITED", 3)

    with pytest.raises(FileRefused, match="sed"):
        await edit(b"aaaa", "a", "b")


async def test_an_edit_that_would_make_a_huge_file_is_refused_before_it_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(edits, "MAX_WRITTEN", 17)
    with pytest.raises(FileRefused, match="would have 18 bytes"):
        await edit("aüa\n".encode("utf-16"), "a", "aü2", replace_all=True)

    _, after = await edit("aüa\n".encode("utf-16"), "a", "aü", replace_all=True)
    assert after == "aüüaü\n".encode("utf-16")


@dataclass
class Busy(FakeSandbox):
    """Where somebody else comes between a read and its write, `times` times; `moved` is where the path then leads."""

    times: int = 0
    moved: str = PATH

    async def write(self, permit: Permit, found: Found, content: bytes, mode: WriteMode, **how: bool) -> Stored:
        if self.times:
            self.times -= 1
            self.files[PATH] += b"theirs\n"
            self.links[PATH] = self.moved
            raise FileRefused("it changed meanwhile", errno.ESTALE)
        return await super().write(permit, found, content, mode, **how)


async def test_an_edit_that_somebody_came_between_is_made_in_what_is_there_now() -> None:
    box = Busy(files={PATH: b"ours\n"}, times=3)
    await edits.edit(box, using(PATH), Found(1, PATH, True), Change("ours", "OURS"))

    assert box.files[PATH] == b"OURS\ntheirs\ntheirs\ntheirs\n"


async def test_an_edit_that_never_finds_peace_is_refused() -> None:
    with pytest.raises(FileRefused, match="changed meanwhile"):
        await edits.edit(
            Busy(files={PATH: b"ours\n"}, times=99), using(PATH), Found(1, PATH, True), Change("ours", "OURS")
        )


async def test_an_edit_is_not_made_where_the_path_leads_elsewhere_meanwhile() -> None:
    box = Busy(files={PATH: b"ours\n", "/workspace/secret": b"ours\n"}, times=1, moved="/workspace/secret")
    with pytest.raises(FileRefused, match="became a link"):
        await edits.edit(box, using(PATH), Found(1, PATH, True), Change("ours", "OURS"))

    assert box.files["/workspace/secret"] == b"ours\n"
