"""The file tools over the wire, as a model uses them: what is read, written, changed and found, and how a miss reads."""

import base64
import functools
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.types import ImageContent

from tests.end_to_end.rig import Home, refused, text_from

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) + b"IEND\xaeB`\x82"


@pytest.fixture(scope="module")
def home(folder: Path) -> Home:
    return Home(folder)


async def shell(client: Client, command: str) -> str:
    return await text_from(client, "shell", command=command)


async def store(client: Client, path: str, data: bytes) -> None:
    await text_from(client, "file_write", path=path, content=base64.b64encode(data).decode(), encoding="base64")


async def test_a_long_file_is_read_by_following_the_calls_that_are_named(client: Client) -> None:
    await shell(client, "seq -f 'line %g of many' 5000 > long.txt")
    text, offset, read = "", 1, 0
    while offset:
        text = await text_from(client, "file_read", path="long.txt", offset=offset)
        body, _, note = text.rpartition("[")
        read += body.count("\n")
        offset = int(note.partition('file_read(path="long.txt", offset=')[2].partition(")")[0] or 0)

    assert read == 5000
    assert "line 5000 of many" in text


async def test_lines_are_numbered_when_asked(client: Client) -> None:
    await text_from(client, "file_write", path="n.txt", content="a\nb\nc\n")

    assert await text_from(client, "file_read", path="n.txt", offset=2, limit=1, encoding="numbered") == (
        '2\tb\n[lines 2-2 of 3; file_read(path="n.txt", offset=3, limit=1, encoding="numbered") reads on]'
    )


async def test_bytes_come_back_as_they_went_in(client: Client) -> None:
    data = bytes(range(256)) * 1000
    await store(client, "b.bin", data)
    whole = await text_from(client, "file_read", path="b.bin", encoding="base64", limit=len(data))
    part = await text_from(client, "file_read", path="b.bin", encoding="base64", offset=100_001, limit=3)

    assert base64.b64decode(whole) == data
    assert part.startswith(base64.b64encode(data[100_000:100_003]).decode() + "\n[bytes 100001-100003 of 256000; ")
    assert "encoding=base64" in await refused(client, "file_read", path="b.bin")


async def test_an_image_is_shown(client: Client) -> None:
    await store(client, "i.png", PNG)
    shown = (await client.call_tool("file_read", {"path": "i.png"})).content

    assert isinstance(shown[0], ImageContent)
    assert base64.b64decode(shown[0].data) == PNG


async def test_what_is_not_utf_8_is_told(client: Client) -> None:
    await store(client, "l1.txt", "café\n".encode("latin-1"))
    await store(client, "u16.txt", "\ufeffgrün\n".encode("utf-16-le"))

    assert "0xe9 in line 1" in await text_from(client, "file_read", path="l1.txt")
    assert await text_from(client, "file_read", path="l1.txt", encoding="latin-1") == "café\n"
    assert await text_from(client, "file_read", path="u16.txt") == "grün\n[UTF-16-LE by its byte-order mark]"


async def test_a_file_in_another_encoding_is_edited_where_it_is_ascii(client: Client) -> None:
    await store(client, "latin", b"caf\xe9\nplain\n")

    assert "caf\ufffd\n-plain\n+simple" in await text_from(client, "file_edit", path="latin", old="plain", new="simple")
    assert "caf\ufffd" in await refused(client, "file_edit", path="latin", old="cafe\nsimple", new="x")
    assert "no text matches" in await refused(client, "file_edit", path="latin", old="caf\ufffd", new="x")
    kept = base64.b64encode(b"caf\xe9\nsimple\n").decode()
    assert await text_from(client, "file_read", path="latin", encoding="base64") == kept


async def test_modes_of_writing_do_what_they_say(client: Client) -> None:
    assert await text_from(client, "file_write", path="w/x/y.txt", content="1\n", mode="create") == (
        "created /workspace/w/x/y.txt (2 bytes)"
    )
    assert "exists already; mode=overwrite" in await refused(
        client, "file_write", path="w/x/y.txt", content="2\n", mode="create"
    )
    assert await text_from(client, "file_write", path="w/x/y.txt", content="3\n", mode="append") == (
        "wrote /workspace/w/x/y.txt (4 bytes)"
    )
    assert await text_from(client, "file_read", path="w/x/y.txt") == "1\n3\n"
    assert "is a directory" in await refused(client, "file_write", path="w/x", content="")
    assert await shell(client, "ls -A w w/x") == "w:\nx\n\nw/x:\ny.txt"


async def test_a_large_write_is_whole(client: Client) -> None:
    await store(client, "large.bin", b"0123456789abcdef" * (1 << 16))

    assert (
        await shell(client, 'sha256sum < large.bin; python3 -c \'print("0123456789abcdef"*65536,end="")\' | sha256sum')
    ).split()[::2] == [(await shell(client, "sha256sum < large.bin")).split()[0]] * 2


async def test_an_edit_answers_with_its_diff_and_a_miss_with_what_is_there(client: Client) -> None:
    await text_from(client, "file_write", path="e.py", content="def f():\n\treturn 1\n\n\ndef g():\n\treturn 1\n")

    missed = await refused(client, "file_edit", path="e.py", old="def f():\n    return 1", new="x")
    assert "/workspace/e.py: old was not found; lines that differ only in indentation: line 1-2:" in missed
    assert "file: '\\treturn 1'\nold:  '    return 1'" in missed
    assert "2 times (lines 2, 6)" in await refused(client, "file_edit", path="e.py", old="return 1", new="return 2")

    done = await text_from(client, "file_edit", path="e.py", old="return 1", new="return 2", replace_all=True)
    assert done.startswith(
        "edited /workspace/e.py, 2 places\n--- a/workspace/e.py\n+++ b/workspace/e.py\n@@ -1,6 +1,6 @@\n"
    )


async def test_edits_of_one_file_at_once_are_all_made(client: Client) -> None:
    await text_from(client, "file_write", path="many.txt", content="".join(f"line {n};\n" for n in range(8)))
    async with anyio.create_task_group() as tasks:
        for n in range(8):
            change = functools.partial(text_from, path="many.txt", old=f"line {n};", new=f"LINE {n};")
            tasks.start_soon(change, client, "file_edit")

    assert await text_from(client, "file_read", path="many.txt") == "".join(f"LINE {n};\n" for n in range(8))


async def test_an_edit_keeps_crlf_and_the_files_mode(client: Client) -> None:
    await shell(client, "printf 'a\\r\\nb\\r\\n' > c.sh; chmod 750 c.sh")
    await text_from(client, "file_edit", path="c.sh", old="a\nb", new="x\ny\nz")

    assert await shell(client, "stat -c %a c.sh; od -c c.sh | head -1") == (
        "750\n0000000   x  \\r  \\n   y  \\r  \\n   z  \\r  \\n"
    )


@pytest.mark.parametrize(
    ("make", "tool", "said"),
    [
        ("mkfifo odd", "file_read", "it is a fifo, not a regular file"),
        ("ln -s /dev/zero odd", "file_read", "it is a device or socket"),
        ("ln -s /proc/self/root/etc/passwd odd", "file_read", "no links"),
        ("ln -s odd odd", "file_read", "too many links"),
        ("ln -s /proc/1/environ odd", "file_read", "Nothing ran."),
        ("mkdir odd", "file_read", "list it with file_list"),
        ("touch odd", "file_list", "read it with file_read"),
        ("touch odd; chmod 0 odd", "file_read", "Permission denied"),
        (r"touch $'\xff'; ln -s $'\xff' odd", "file_read", "not UTF-8"),
    ],
)
async def test_what_is_no_file_is_answered_with_what_it_is(client: Client, make: str, tool: str, said: str) -> None:
    await text_from(
        client, "file_write", path="make.sh", content=make
    )  # the policy reads a command, and refuses some of these
    await shell(client, "rm -rf odd; bash make.sh")

    assert said in await refused(client, tool, path="odd")


@pytest.mark.parametrize("path", ["x" * 300, "y/" * 2047, "z" * 4096])
async def test_names_that_no_file_can_have_are_answered(client: Client, path: str) -> None:
    for tool, more in (("file_read", {}), ("file_list", {}), ("file_write", {"content": ""})):
        assert await refused(client, tool, path=path, **more)
    assert await text_from(client, "file_write", path=f"{'d' * 250}/{'ü' * 127}", content="long names\n")


async def test_a_file_that_is_read_only_is_not_replaced(client: Client) -> None:
    await shell(client, "echo kept > ro.txt; chmod 444 ro.txt")

    assert "chmod u+w" in await refused(client, "file_write", path="ro.txt", content="x")
    assert await text_from(client, "file_read", path="ro.txt") == "kept\n"


async def test_a_search_answers_as_grep_does_and_honours_gitignore(client: Client) -> None:
    await shell(
        client,
        "mkdir -p s/src s/.github s/out; cd s; echo out/ > .gitignore; printf 'a\\nb\\nfoo(1)\\nc\\nd\\n' > src/x.py;"
        "echo 'foo' | tee .github/w.yml out/x src/y.ts > /dev/null",
    )

    assert await text_from(client, "file_search", pattern=r"foo", path="s") == (
        "/workspace/s/.github/w.yml:1:foo\n--\n/workspace/s/src/x.py-1-a\n/workspace/s/src/x.py-2-b\n/workspace/s/src/x.py:3:foo(1)\n"
        "/workspace/s/src/x.py-4-c\n/workspace/s/src/x.py-5-d\n--\n/workspace/s/src/y.ts:1:foo"
    )
    assert await text_from(client, "file_search", pattern=r"foo\(\d\)$", path="s", glob="*.{py,ts}", limit=1) == (
        "/workspace/s/src/x.py-1-a\n/workspace/s/src/x.py-2-b\n/workspace/s/src/x.py:3:foo(1)\n"
        "/workspace/s/src/x.py-4-c\n/workspace/s/src/x.py-5-d"
    )
    assert (
        await text_from(client, "file_list", path="s", glob="src/**") == "/workspace/s/src/x.py\n/workspace/s/src/y.ts"
    )
    assert await text_from(client, "file_list", path="s") == ".github/\n.gitignore\nout/\nsrc/"
    assert await text_from(client, "file_search", pattern="nowhere", path="s") == "(nothing found)"


async def test_a_search_that_finds_more_names_the_calls_for_it(client: Client) -> None:
    await shell(client, "mkdir -p m/a m/b; seq 300 > m/a/f; seq 300 > m/b/f")
    said = await text_from(client, "file_search", pattern="^[0-9]+$", path="m", limit=400)

    assert said.count("\n") == 400
    assert said.splitlines()[-1] == (
        '[200 more, from /workspace/m/b/f on: file_search(pattern="^[0-9]+$", path="m", limit=1600) shows more, '
        'file_search(pattern="^[0-9]+$", path="/workspace/m/b", limit=400) searches that folder alone]'
    )
    more = await text_from(client, "file_list", path="m", glob="f", limit=1)
    assert more.startswith("/workspace/m/a/f\n[1 more, from /workspace/m/b/f on: file_list(")


async def test_a_match_in_each_of_many_files_is_more_and_no_accident(client: Client) -> None:
    await shell(client, "mkdir each; for n in $(seq 1000 1300); do echo found > each/$n; done")
    said = (await text_from(client, "file_search", pattern="found", path="each", limit=1)).splitlines()

    assert said[0] == "/workspace/each/1000:1:found"
    assert said[1].startswith("[more follow, from /workspace/each/1001 on: file_search(")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"pattern": "foo("}, r"for that very text write foo\("),
        ({"pattern": "(?<=a)b"}, "Look-around"),
        ({"pattern": "a", "path": "nope"}, "/workspace/nope: No such file"),
        ({"pattern": "a", "glob": "../x"}, "below path only"),
        ({"pattern": "a", "path": "/proc"}, "Nothing ran."),
    ],
)
async def test_a_search_that_cannot_be_made_says_what_to_do(
    client: Client, arguments: dict[str, Any], said: str
) -> None:
    assert said in await refused(client, "file_search", **arguments)


async def test_huge_files_are_read_and_searched_in_parts(client: Client) -> None:
    await shell(
        client,
        "truncate -s 5G huge.bin; seq -f 'line %.0f of a long file' 700000 > huge.txt; printf x | dd of=huge.bin seek=4G bs=1 conv=notrunc status=none",
    )

    assert "binary file of 5368709120 bytes" in await refused(client, "file_read", path="huge.bin")
    assert (
        await text_from(client, "file_read", path="huge.bin", encoding="base64", offset=(4 << 30) + 1, limit=1)
    ).startswith("eA==\n[bytes")
    assert await text_from(client, "file_read", path="huge.txt", offset=600_000, limit=1) == (
        "line 600000 of a long file\n[lines 600000-600000 of many (18788895 bytes); "
        'file_read(path="huge.txt", offset=600001, limit=1) reads on]'
    )
    assert "has 700000 lines" in await refused(client, "file_read", path="huge.txt", offset=3_000_000)
    found = await text_from(client, "file_search", pattern="line 6999[0-9]{2} ", path=".", glob="huge.*", limit=1)
    assert found.startswith("/workspace/huge.txt:699900:line 699900 of a long file\n[")
    assert "/workspace/huge.bin" in found


async def test_a_cancelled_search_makes_room_for_the_next(client: Client) -> None:
    for _ in range(6):
        with anyio.move_on_after(0.05):
            await client.call_tool("file_search", {"pattern": "nothing at all like it", "path": "/usr"})
    assert await text_from(client, "file_search", pattern="nothing", path="/etc/hostname") == "(nothing found)"


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("file_read", {"path": "a", "limit": 0}, "limit: input should be greater than or equal to 1"),
        ("file_read", {"path": "a", "encoding": "utf8"}, "'latin-1' or 'utf-16'"),
        ("file_read", {}, "path: field required"),
        ("file_write", {"path": "a"}, "content: field required"),
        ("file_search", {"pattern": ""}, "pattern: string should have at least 1 character"),
    ],
)
async def test_a_call_that_cannot_be_is_answered_in_one_line(
    client: Client, tool: str, arguments: dict[str, Any], said: str
) -> None:
    answer = await refused(client, tool, **arguments)

    assert answer.startswith(f"{tool} was called wrongly: ")
    assert said in answer
    assert answer.endswith(". Nothing ran.")
    assert "\n" not in answer
    assert "pydantic" not in answer


async def test_a_file_that_is_not_there_is_answered_with_what_is(client: Client) -> None:
    await shell(client, "mkdir -p there")

    for tool, more in (("file_read", {}), ("file_list", {}), ("file_edit", {"old": "a", "new": "b"})):
        assert await refused(client, tool, path="there/no/such", **more) == (
            "/workspace/there/no/such: No such file or directory; the last folder on its way that exists is /workspace/there"
        )


async def test_names_that_are_no_text_are_told_and_do_no_harm(client: Client) -> None:
    program = r"import os; os.makedirs('names'); [open(b'names/' + n, 'w').write('foo\n') for n in (b'\xff', b'a\nb', b'plain')]"
    await text_from(client, "exec", argv=["python3", "-c", program])

    assert await text_from(client, "file_list", path="names") == "\"a\\nb\"\nplain\n$'\\xff'"
    assert await text_from(client, "file_search", pattern="foo", path="names") == (
        '"/workspace/names/a\\nb":1:foo\n--\n/workspace/names/plain:1:foo\n'
        "[1 files whose names are not UTF-8 are not shown; use grep -r in shell]"
    )
    assert "1 files whose names are not UTF-8" in await text_from(client, "file_list", path="names", glob="*")
    assert await text_from(client, "file_read", path="names/a\nb") == "foo\n"
