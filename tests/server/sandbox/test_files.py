from typing import Literal

import pytest

from server.sandbox import files
from server.sandbox.files import Written
from server.sandbox.sandbox import FileRefused, Found
from tests.fakes import FakeSandbox
from tests.live import using

pytestmark = pytest.mark.anyio

PATH = "/workspace/a.py"


async def test_what_a_write_left_is_told_as_the_sandbox_says_it() -> None:
    sandbox = FakeSandbox(files={PATH: b"a\n"})

    assert await files.write(sandbox, using(PATH), Found(1, PATH, True), b"b\n", "append") == Written(PATH, 4, False)
    assert await files.write(sandbox, using(PATH), Found(1, "/n", False), b"", "create") == Written("/n", 0, True)


@pytest.mark.parametrize(("content", "encoding"), [("not base64!", "base64"), ("\ud800", "text")])
async def test_content_that_is_not_what_it_says_is_refused(content: str, encoding: Literal["text", "base64"]) -> None:
    with pytest.raises(FileRefused, match="not valid"):
        files.decode(content, encoding)


async def test_more_than_the_sandbox_holds_at_once_is_written_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_WRITTEN", 3)

    assert files.decode("abc", "text") == b"abc"
    with pytest.raises(FileRefused, match="mode=append"):
        files.decode("abcd", "text")
