"""A session's files as MCP resources and over plain HTTP: the same judging, the same owner, nothing for a browser to run."""

import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import MCPError

from server.front import file_routes
from tests.end_to_end.http_rig import ANN, BOB, HttpServer, serving, streamable, tokens
from tests.end_to_end.rig import Home, connected, text_of
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.anyio
MIB = 1 << 20
PIXEL = bytes.fromhex("89504e470d0a1a0a") + b"\0\xff rest"


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[HttpServer]:
    settings = "upload_mb = 1\ndownload_mb = 9\n"
    home = Home(folder, f"[http]\n{settings}{tokens(ann=ANN, bob=BOB)}")
    with serving(home) as made:
        yield made
    home.remove_images()


@pytest.fixture
async def work(server: HttpServer) -> Any:
    """Ann's session `desk`."""
    async with streamable(server, ANN) as client:
        await client.call_tool("session_open", {"session": "desk"})
        yield client
        await client.call_tool("session_close", {"session": "desk"})


def http(server: HttpServer, token: str | None = ANN) -> httpx.Client:
    return httpx.Client(
        base_url=server.url, headers={} if token is None else {"Authorization": f"Bearer {token}"}, timeout=PATIENCE_S
    )


async def test_a_file_goes_in_and_comes_out_byte_for_byte_and_both_are_in_the_audit(
    server: HttpServer, work: Any
) -> None:
    content = bytes(range(256)) * 4000
    with http(server) as client:
        put = client.put("/files/desk/new folder/ä.bin", content=content)
        again = client.put("/files/desk/new folder/ä.bin?mode=create", content=b"x")
        more = client.put("/files/desk/new folder/ä.bin?mode=append", content=b"!")
        got = client.get("/files/desk/new folder/ä.bin")
        head = client.head("/files/desk/new folder/ä.bin")

    assert (put.status_code, put.json()) == (201, {"path": "/workspace/new folder/ä.bin", "size": len(content)})
    assert again.status_code == 409
    assert more.status_code == 200
    assert got.content == content + b"!"
    assert head.headers["content-length"] == str(len(content) + 1)
    read = await work.call_tool("exec", {"argv": ["sha256sum", "new folder/ä.bin"], "session": "desk"})
    assert hashlib.sha256(got.content).hexdigest() in text_of(read)
    started = [line for line in server.home.audit("call.started") if line["arguments"].get("by") == "http"]
    assert {line["tool"] for line in started} == {"file_read", "file_write"}
    assert hashlib.sha256(content).hexdigest() in str(started)


async def test_a_browser_saves_what_it_gets_and_runs_none_of_it(server: HttpServer, work: Any) -> None:
    with http(server) as client:
        client.put("/files/desk/x%22%3B%0D.html", content=b"<script>alert(1)</script>")
        got = client.get("/files/desk/x%22%3B%0D.html")
        absent = client.get("/files/desk/<script>")

    assert got.status_code == 200
    for answer in (got, absent):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["content-disposition"] == "attachment; filename*=UTF-8''x%22%3B%0D.html"
    assert (absent.status_code, absent.headers["content-type"]) == (404, "application/json")


@pytest.mark.promise("caller.known")
async def test_anothers_session_is_no_session_and_nobody_gets_in_without_a_token(server: HttpServer, work: Any) -> None:
    await work.call_tool("file_write", {"path": "note", "content": "hers", "session": "desk"})
    with http(server, BOB) as bob, http(server, None) as nobody:
        answers = [bob.get("/files/desk/note"), bob.put("/files/desk/note", content=b"his")]
        absent = bob.get("/files/nothing-there/note")
        refused = [nobody.get("/files/desk/note"), nobody.put("/files/desk/note", content=b"x")]
    async with streamable(server, BOB) as client:
        with pytest.raises(MCPError, match="there is no session desk"):
            await client.read_resource("sandgate://desk/note")
        listed = text_of(await client.call_tool("session_list", {}))

    for answer in answers:
        assert answer.status_code == 404
        assert answer.json()["error"] == absent.json()["error"].replace("nothing-there", "desk")
    assert [answer.status_code for answer in refused] == [401, 401]
    assert "desk" not in listed  # to ask made none
    assert text_of(await work.call_tool("file_read", {"path": "note", "session": "desk"})) == "hers"


@pytest.mark.promise("files.handle")
async def test_what_file_read_may_not_read_nobody_fetches_by_any_spelling(server: HttpServer, work: Any) -> None:
    spelled = ["/proc/1/environ", "../proc/1/environ", "a/../../proc/1/environ", "/proc/self/root/proc/1/environ"]
    await work.call_tool("shell", {"command": "ln -s /proc/1/environ link", "session": "desk"})
    expected = await work.call_tool("file_read", {"path": "/proc/1/environ", "session": "desk"})
    assert expected.is_error
    with http(server) as client:
        for path in (*spelled, "link"):
            quoted = "/".join(part.replace("..", "%2e%2e") for part in path.split("/"))
            answer = client.get(f"/files/desk/{quoted}")
            assert answer.status_code in (403, 404), (path, answer.text)
            with pytest.raises(MCPError):
                await work.read_resource(f"sandgate://desk/{path}")
        refused = client.get("/files/desk//proc/1/environ").json()
    assert refused["status"] == "denied"
    assert refused["rules"]


async def test_bodies_and_files_are_bounded(server: HttpServer, work: Any) -> None:
    made = await work.call_tool(
        "shell", {"command": "head -c 9M /dev/zero > fits; head -c 10M /dev/zero > large", "session": "desk"}
    )
    assert not made.is_error

    def pieces() -> Iterator[bytes]:
        for _ in range(3):
            yield bytes(MIB)

    with http(server) as client:
        too_long = client.put("/files/desk/a", content=bytes(MIB + 1))
        undeclared = client.put("/files/desk/a", content=pieces())
        fits, large = client.get("/files/desk/fits"), client.get("/files/desk/large")
        odd = [client.get("/files/desk/"), client.get(f"/files/desk/{'x' * 5000}"), client.get("/files/desk/a%00b")]
        modes = client.put("/files/desk/a?mode=evil", content=b"x")
        folder, absent = client.get("/files/desk//workspace"), client.get("/files/desk/none")

    assert (too_long.status_code, undeclared.status_code, large.status_code) == (413, 413, 413)
    assert "mode=append" in too_long.json()["error"]
    assert fits.content == bytes(9 * MIB)
    assert [answer.status_code for answer in odd] == [400, 400, 400]
    assert modes.status_code == 400
    assert "directory" in folder.json()["error"]
    assert absent.status_code == 404


async def test_whoever_goes_away_in_the_middle_costs_nothing(server: HttpServer, work: Any) -> None:
    await work.call_tool("shell", {"command": "head -c 9M /dev/zero > big", "session": "desk"})
    host, port = server.url.removeprefix("http://").split(":")
    head = f"Host: {host}\r\nAuthorization: Bearer {ANN}\r\n"
    for request in (
        f"GET /files/desk/big HTTP/1.1\r\n{head}\r\n",
        f"PUT /files/desk/half HTTP/1.1\r\n{head}Content-Length: 1000\r\n\r\nabc",
    ):
        for _ in range(file_routes.MOST_AT_ONCE + 1):  # one more than may be on their way at once
            with socket.create_connection((host, int(port))) as sock:
                sock.sendall(request.encode())
                if request.startswith("GET"):
                    assert sock.recv(12) == b"HTTP/1.1 200"
    with http(server) as client:
        until(lambda: client.put("/files/desk/whole", content=b"x").status_code == 201, "their places are free again")
        assert client.get("/files/desk/half").status_code == 404


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_resource_is_the_file_as_text_or_as_bytes_with_their_type(folder: Path, mode: str) -> None:
    home = Home(folder / f"r{mode}")
    home.folder.mkdir()
    async with connected(home, mode) as client:
        with pytest.raises(MCPError, match="there is no session default"):
            await client.read_resource("sandgate://default/a.txt")
        await client.call_tool("file_write", {"path": "d/a.txt", "content": "grün\n"})
        await client.call_tool("file_write", {"path": "p", "content": PIXEL.hex()})
        await client.call_tool(
            "shell",
            {
                "command": 'xxd -r -p p > p.png || python3 -c \'open("p.png","wb").write(bytes.fromhex(open("p").read()))\'; head -c 9M /dev/zero > large'
            },
        )
        (template,) = (await client.list_resource_templates()).resource_templates
        (text,) = (await client.read_resource("sandgate://default/d/a.txt")).contents
        (absolute,) = (await client.read_resource("sandgate://default//workspace/d/a.txt")).contents
        (image,) = (await client.read_resource("sandgate://default/p.png")).contents
        with pytest.raises(MCPError, match="file_read reads a part"):
            await client.read_resource("sandgate://default/large")
        with pytest.raises(MCPError):
            await client.read_resource("sandgate://default/none")
        with pytest.raises(MCPError, match="at most 4096"):
            await client.read_resource(f"sandgate://default/{'x' * 5000}")

    assert template.uri_template == "sandgate://{session}/{+path}"
    assert getattr(text, "text", "") == getattr(absolute, "text", "") == "grün\n"
    assert image.mime_type == "image/png"
    home.remove_images()
